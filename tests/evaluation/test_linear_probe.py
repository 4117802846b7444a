import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from uae_tf import PGDAttack, UntargetedMargin
from uae_tf.evaluation.embedding import embed, logistic_probe
from uae_tf.evaluation.linear_probe import (
    _batches,
    head_scores,
    linear_head,
    linear_probe,
)
from uae_tf.evaluation.robustness import RobustnessCurve, robust_accuracy


@pytest.fixture(scope="module")
def encoder():
    """With statistics that a forward pass in training mode would move."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.BatchNormalization(momentum=0.5),
            layers.Flatten(),
        ],
        name="encoder",
    )


@pytest.fixture(scope="module")
def images():
    """Four classes: which quarter of the image is bright."""
    rng = np.random.default_rng(0)
    y = np.arange(160) % 4
    x = rng.uniform(0.0, 0.5, (160, 8, 8, 3))
    for image, label in zip(x, y, strict=True):
        row, column = divmod(label, 2)
        image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 0.3
    return x.astype("float32"), y


@pytest.fixture(scope="module")
def classifier(encoder, images):
    return linear_probe(encoder, *images, epochs=20, batch_size=32)


@pytest.mark.parametrize("augment", [None, layers.RandomFlip("horizontal", seed=0)])
def test_no_weight_of_the_encoder_moves(encoder, images, augment):
    before = encoder.get_weights()
    flags = [layer.trainable for layer in encoder.layers]
    probed = linear_probe(encoder, *images, epochs=2, batch_size=32, augment=augment)
    for old, new in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [layer.trainable for layer in encoder.layers] == flags
    assert np.any(probed.layers[-1].get_weights()[0] != 0.0)
    assert probed.layers[0] is encoder


def test_it_learns_what_is_linear_in_the_features(encoder, images, classifier):
    scores = head_scores(classifier, *images)
    assert scores["accuracy"] > 0.95
    assert scores["head_cross_entropy"] < 1.0  # ln 4 where nothing is known.
    second = logistic_probe(embed(encoder, images[0]), images[1])
    assert second.score(embed(encoder, images[0]), images[1]) > 0.95


def test_an_untrained_head_knows_nothing(encoder, images):
    head = layers.Dense(4, kernel_initializer="zeros")
    blank = keras.Sequential([keras.Input((8, 8, 3)), encoder, head])
    scores = head_scores(blank, *images)
    assert scores["head_cross_entropy"] == pytest.approx(np.log(4.0), rel=1e-5)


def test_a_head_that_became_nan_has_no_accuracy(images):
    head = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(4)])
    head.set_weights([np.full_like(w, np.nan) for w in head.get_weights()])
    assert np.all(np.isnan(list(head_scores(head, *images).values())))


def test_augmented_samples_are_what_the_head_sees(encoder, images):
    x, y = images

    calls = []

    class Blank(layers.Layer):
        def call(self, x, training=False):
            calls.append(len(x))
            return keras.ops.zeros_like(x) if training else x

    probed = linear_probe(encoder, x, y, epochs=3, augment=Blank())
    # Anew in each epoch.
    assert calls == [160] * 3
    weights = probed.layers[-1].get_weights()[0]
    # All samples alike: every class has the same count, so nothing can be learnt.
    np.testing.assert_allclose(weights, 0.0, atol=1e-4)


def test_the_first_step_of_the_head_has_the_rate_of_its_batch():
    x, y = np.arange(1.0, 5.0, dtype="float32")[:, None], np.array([0, 0, 0, 1])
    kernel, bias = linear_head(x, y, epochs=1, learning_rate=64.0).get_weights()
    # From zero all probabilities are 1/2.
    residuals = 0.5 - np.eye(2)[y]
    # Nesterov's first step is 1 + 0.9 times the rate, here 64 * 4 / 256.
    np.testing.assert_allclose(bias, -1.9 * residuals.mean(axis=0), rtol=1e-5)
    expected = -1.9 * (x * residuals).mean(axis=0)
    np.testing.assert_allclose(kernel[0], expected, rtol=1e-5)


def test_equal_seeds_give_equal_heads(encoder, images, classifier):
    again = linear_probe(encoder, *images, epochs=20, batch_size=32)
    np.testing.assert_array_equal(
        again.layers[-1].get_weights()[0], classifier.layers[-1].get_weights()[0]
    )


@pytest.mark.parametrize("is_renewed", [False, True])
def test_every_epoch_visits_the_samples_in_another_order(monkeypatch, is_renewed):
    features = np.arange(24.0, dtype="float32")[:, None]
    visited = []

    def note(batch):
        visited.extend(batch.numpy()[:, 0].astype(int))

    def train_step(self, data, original=keras.Sequential.train_step):
        tf.py_function(note, [data[0]], [])
        return original(self, data)

    monkeypatch.setattr(keras.Sequential, "train_step", train_step)
    linear_head(
        features,
        np.arange(24) % 2,
        epochs=3,
        batch_size=7,
        renew=(lambda: features) if is_renewed else None,
    )
    epochs = np.reshape(visited, (3, 24))
    np.testing.assert_array_equal(np.sort(epochs), np.tile(np.arange(24), (3, 1)))
    assert len(np.unique(epochs, axis=0)) == 3


def test_labels_are_needed(encoder, images):
    x, y = images
    with pytest.raises(ValueError, match=r"`y` is missing.*shape \(160,\)"):
        linear_probe(encoder, x, None)
    with pytest.raises(ValueError, match="`y` must hold two classes or more"):
        linear_probe(encoder, x, np.zeros_like(y))


def test_robustness_falls_with_the_radius(images, classifier):
    x, y = images[0][:40], images[1][:40].copy()
    y[0] = (y[0] + 1) % 4  # Wrong to begin with.
    radii = (1e-4, 0.05, 0.3)
    measure = RobustnessCurve(classifier, radii, steps=5, batch_size=16)
    curve = measure(x, y)
    assert [point["epsilon"] for point in curve] == [0.0, *radii]
    accuracies = [point["accuracy"] for point in curve]
    clean = float(np.mean(classifier.predict(x, verbose=0).argmax(axis=1) == y))
    assert accuracies[0] == pytest.approx(clean)
    assert clean < 1.0
    assert accuracies[0] >= accuracies[1] > accuracies[2] > accuracies[3]
    assert curve[0]["accuracy_of_correct"] == 1.0
    assert curve[2]["accuracy_of_correct"] == pytest.approx(accuracies[2] / clean)
    # The published step would leave the smallest ball at once.
    measure._is_kept(x, y, np.arange(1, 17), 1e-4)
    assert float(measure.attack.step_size) == pytest.approx(2.5 * 1e-4 / 5)
    # However many of them are correct, nothing is traced again.
    y[5:] = (y[5:] + 1) % 4
    assert measure(x, y)[0]["accuracy"] == pytest.approx(4 / 40)
    assert measure.attack.num_traces == 1


def test_the_curve_is_the_attacks(images, classifier):
    x, y = images[0][:40], images[1][:40]
    attack = PGDAttack(
        UntargetedMargin(classifier), epsilon=0.05, steps=5, step_size=0.01
    )
    lost = attack(x, y).success.mean()
    (_, point) = RobustnessCurve(classifier, (0.05,), steps=5)(x, y)
    assert point["accuracy"] == pytest.approx(1.0 - lost)


def test_robustness_of_a_classifier_that_is_always_wrong(images, classifier):
    x, y = images[0][:4], (classifier.predict(images[0][:4], verbose=0)).argmax(1)
    _, point = RobustnessCurve(classifier, (0.1,), steps=1)(x, (y + 1) % 4)
    assert point["accuracy"] == 0.0
    assert np.isnan(point["accuracy_of_correct"])


def binary(margin):
    """A classifier of class 0 by the sign of ``margin(x)``."""
    inputs = keras.Input((1,))
    logits = [margin(inputs), keras.ops.zeros_like(inputs)]
    return keras.Model(inputs, keras.ops.concatenate(logits, axis=1))


@pytest.mark.filterwarnings("ignore:The attack succeeded", "ignore:The model gave NaN")
@pytest.mark.parametrize(
    ("margin", "value"),
    [
        # Wrong as it is, and right where half of the starts lead it.
        (lambda x: x - 0.5, 0.499),
        # Right, and NaN everywhere else.
        (lambda x: 1.0 + keras.ops.sqrt(-keras.ops.abs(x - 0.5)), 0.5),
    ],
    ids=["wrong", "nan"],
)
def test_what_is_wrong_or_not_finite_does_not_withstand(margin, value):
    x, y = np.full((20, 1), value, "float32"), np.zeros(20, int)
    settings = {"epsilon": 0.1, "steps": 1, "step_size": 1e-6, "restarts": 1}
    assert robust_accuracy(binary(margin), x, y, **settings) == 0.0
    (_, point) = RobustnessCurve(binary(margin), (0.1,), steps=1)(x, y)
    assert point["accuracy"] == 0.0


@pytest.mark.filterwarnings("ignore:The attack succeeded")
def test_a_sample_stands_if_it_withstands_every_start():
    # A quarter of the starts lie beyond the boundary, and no step leads there.
    x, y = np.full((200, 1), 0.45, "float32"), np.zeros(200, int)
    settings = {"epsilon": 0.1, "steps": 1, "step_size": 1e-6}
    model = binary(lambda x: 0.5 - x)
    once, other = (
        robust_accuracy(model, x, y, **settings, restarts=1, seed=seed)
        for seed in (0, 1)
    )
    assert once == pytest.approx(0.75, abs=0.1)
    assert once != other
    assert robust_accuracy(model, x, y, **settings, restarts=40) < 0.01


def test_every_epoch_of_the_head_sees_each_sample_once_in_another_order():
    x, y = np.arange(10.0, dtype="float32")[:, None], np.arange(10)
    batches = list(_batches(x, y, batch_size=4, epochs=2, seed=3))
    assert [len(labels) for _, labels in batches] == [4, 4, 2, 4, 4, 2]
    orders = [
        np.concatenate([y for _, y in part]) for part in (batches[:3], batches[3:])
    ]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert not np.array_equal(*orders)
    for rows, labels in batches:
        np.testing.assert_array_equal(rows[:, 0], labels)
