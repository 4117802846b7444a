import numpy as np
import pytest
import tensorflow as tf

from uae_tf.losses import (
    entropy,
    kl_divergence,
    local_distributional_smoothness,
    virtual_adversarial_perturbation,
)
from uae_tf.ops import unit_l2


def softmax(logits):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_divergence_and_entropy_are_their_sums():
    a, b = np.random.default_rng(0).normal(size=(2, 5, 4))
    p, q = softmax(a), softmax(b)
    np.testing.assert_allclose(
        kl_divergence(tf.constant(a), tf.constant(b)),
        np.sum(p * np.log(p / q), axis=1),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        entropy(tf.constant(a)), -np.sum(p * np.log(p), axis=1), rtol=1e-5
    )


def test_certain_predictions_stay_finite():
    certain = tf.constant([[1e4, 0.0], [0.0, 1e4]])
    assert np.all(np.isfinite(kl_divergence(certain, tf.reverse(certain, [0]))))
    np.testing.assert_allclose(entropy(certain), 0.0, atol=1e-6)
    np.testing.assert_allclose(kl_divergence(certain, certain), 0.0, atol=1e-6)


def test_a_class_that_is_ruled_out_counts_nothing():
    a, b = tf.constant([[1.0, 0.0, -np.inf]]), tf.constant([[0.0, 1.0, -np.inf]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((a, b))
        found = kl_divergence(a, b), entropy(a)
    expected = kl_divergence(a[:, :2], b[:, :2]), entropy(a[:, :2])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    gradients = [tape.gradient(found[0], a), tape.gradient(found[0], b)]
    gradients.append(tape.gradient(found[1], a))
    assert np.all(np.isfinite(gradients))
    # Ruled out by p alone, too.
    even = tf.zeros((1, 3))
    np.testing.assert_allclose(
        kl_divergence(a, even), np.log(3) - entropy(a), rtol=1e-6
    )


class LinearSoftmax:
    """logits = x W, whose Hessian of the divergence at r = 0 is known."""

    def __init__(self, features=30, classes=5, samples=8, seed=0):
        rng = np.random.default_rng(seed)
        self.weights = rng.normal(size=(features, classes)) / 3
        # As images have it: many zeros, many ones.
        self.x = (rng.random((samples, features)) < 0.3).astype(np.float32)
        self.start = rng.normal(size=self.x.shape).astype(np.float32)

    def __call__(self, x):
        return x @ tf.constant(self.weights, tf.float32)

    def hessians(self):
        for p in softmax(self.x @ self.weights):
            middle = np.diag(p) - np.outer(p, p)
            yield self.weights @ middle @ self.weights.T

    def perturbation(self, **settings):
        x = tf.constant(self.x)
        return virtual_adversarial_perturbation(
            self, x, self(x), tf.constant(self.start), **settings
        ).numpy()


def cosines(r, expected):
    norms = np.linalg.norm(r, axis=1) * np.linalg.norm(expected, axis=1)
    return np.sum(r * expected, axis=1) / norms


def test_one_power_iteration_is_the_hessian_times_the_start():
    model = LinearSoftmax()
    expected = np.stack(
        [h @ d for h, d in zip(model.hessians(), model.start, strict=True)]
    )
    r = model.perturbation(epsilon=0.7)
    assert cosines(r, expected).min() > 1 - 1e-5
    np.testing.assert_allclose(np.linalg.norm(r, axis=1), 0.7, rtol=1e-5)


def test_many_power_iterations_find_the_first_eigenvector():
    model = LinearSoftmax()
    first = np.stack([np.linalg.eigh(h)[1][:, -1] for h in model.hessians()])
    r = model.perturbation(epsilon=1.0, power_iterations=40)
    assert np.abs(cosines(r, first)).min() > 0.999


def test_two_classes_need_one_iteration_from_anywhere():
    model = LinearSoftmax(classes=2)
    normal = model.weights[:, 1] - model.weights[:, 0]
    r = model.perturbation(epsilon=0.5)
    expected = 0.5 * normal / np.linalg.norm(normal)
    np.testing.assert_allclose(np.abs(r), np.abs([expected] * len(r)), atol=1e-4)


def test_the_published_xi_is_lost_in_rounding_and_ours_is_not():
    model = LinearSoftmax(features=784, classes=10, samples=32)
    expected = np.stack(
        [h @ d for h, d in zip(model.hessians(), model.start, strict=True)]
    )
    published = cosines(model.perturbation(epsilon=1.0, xi=1e-6), expected)
    assert np.median(published) < 0.9
    assert cosines(model.perturbation(epsilon=1.0), expected).min() > 0.9999


def test_no_iteration_leaves_the_random_direction():
    model = LinearSoftmax()
    r = model.perturbation(epsilon=2.0, power_iterations=0)
    np.testing.assert_allclose(r, 2.0 * unit_l2(tf.constant(model.start)), rtol=1e-5)


def test_where_the_prediction_is_flat_the_direction_is_kept():
    x, start = tf.zeros((3, 4)), tf.eye(3, 4)
    flat = virtual_adversarial_perturbation(
        lambda x: 0.0 * x, x, tf.zeros((3, 4)), start, epsilon=1.0
    )
    np.testing.assert_allclose(flat, start)


def test_tiny_vectors_keep_their_direction():
    x = tf.constant([[3e-30, 4e-30], [0.0, 0.0]])
    np.testing.assert_allclose(unit_l2(x), [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)


def test_smoothness_of_two_classes_in_closed_form():
    model = LinearSoftmax(classes=2)
    x = tf.constant(model.x)
    epsilon = 0.3
    logits = model.x @ model.weights
    # Along the normal the difference of the logits moves by epsilon times its norm.
    slope = np.linalg.norm(model.weights[:, 1] - model.weights[:, 0])
    margin = logits[:, 1] - logits[:, 0]
    p = 1 / (1 + np.exp(-margin))
    both = []
    for sign in (-1.0, 1.0):
        q = 1 / (1 + np.exp(-(margin + sign * epsilon * slope)))
        both.append(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
    lds = local_distributional_smoothness(
        model, x, tf.constant(model.start), epsilon
    ).numpy()
    nearest = np.min(np.abs(np.array(both) - lds), axis=0)
    np.testing.assert_allclose(nearest, 0.0, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [{"xi": 3.0}, {"power_iterations": 0}, {"power_iterations": 4}],
)
def test_smoothness_is_the_divergence_at_the_perturbation(settings):
    model = LinearSoftmax()
    x, start = tf.constant(model.x), tf.constant(model.start)
    moved = model.x + model.perturbation(epsilon=0.7, **settings)
    found = local_distributional_smoothness(model, x, start, 0.7, **settings)
    np.testing.assert_allclose(
        found, kl_divergence(model(x), model(moved)), rtol=1e-5, atol=1e-6
    )
    usual = local_distributional_smoothness(model, x, start, 0.7)
    assert np.abs(found - usual).max() > 1e-3


def test_smoothness_in_double_precision_in_a_graph():
    model = LinearSoftmax(classes=3)
    x, start = model.x.astype("float64"), model.start.astype("float64")
    weights = model.weights.astype("float64")
    compiled = tf.function(
        lambda x, start: local_distributional_smoothness(
            lambda z: z @ weights, x, start, epsilon=0.3
        ),
        autograph=False,
    )
    single = local_distributional_smoothness(
        model, tf.constant(model.x), tf.constant(model.start), epsilon=0.3
    )
    received = compiled(tf.constant(x), tf.constant(start))
    np.testing.assert_allclose(received, single, rtol=1e-3)


@pytest.mark.parametrize("is_perturbed", [False, True])
def test_gradients_reach_the_weights_by_the_perturbed_pass_alone(is_perturbed):
    weights = tf.Variable(LinearSoftmax().weights, dtype=tf.float32)
    model = LinearSoftmax()
    x, calls = tf.constant(model.x), []

    def logits_of(samples):
        calls.append(1)
        # The passes are: clean, power iteration, perturbed.
        counts = (len(calls) == 3) == is_perturbed
        return samples @ (weights if counts else tf.stop_gradient(weights))

    with tf.GradientTape() as tape:
        lds = local_distributional_smoothness(
            logits_of, x, tf.constant(model.start), 1.0
        )
    gradient = tape.gradient(lds, weights)
    assert len(calls) == 3
    assert (gradient is not None and float(tf.norm(gradient)) > 0) == is_perturbed
