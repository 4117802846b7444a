import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf import AdversarialGeneratorTraining, SemiSupervisedDataset
from uae_tf.models import AdversarialExampleGenerator, DenseClassifier
from uae_tf.training.adversarial_generator import ROLES


def parts():
    keras.utils.set_random_seed(0)
    classifier = DenseClassifier((2,), 2, (8,), normalization=False)
    return classifier, AdversarialExampleGenerator.dense((2,), (8,), 4, seed=0)


def make(rate=1e-2, **settings):
    model = AdversarialGeneratorTraining(*parts(), **settings)
    model.compile("adam", generator_optimizer=keras.optimizers.SGD(rate))
    return model


def batch(model, seed=0):
    rng = np.random.default_rng(seed)
    x = tf.constant(rng.normal(size=(16, 2)), tf.float32)
    z = tf.constant(rng.normal(size=(16, model.generator.noise_dim)), tf.float32)
    return x, z


def measures(model, x, z):
    """Divergence and squared distance of the generator's examples."""
    with tf.GradientTape() as tape:
        examples = model.generator([x, z])
        logits, others = model.classifier(x), model.classifier(examples)
        p, q = tf.nn.softmax(logits), tf.nn.softmax(others)
        divergence = tf.reduce_sum(p * (tf.math.log(p) - tf.math.log(q)), axis=1)
        squares = tf.reduce_sum(tf.square(examples - x), axis=1)
        gain, cost = tf.reduce_mean(divergence), tf.reduce_mean(squares)
    del tape
    return gain, cost


def gradients(model, x, z, weights):
    """Of `weights = (of the divergence, of the squares)`, encoder and decoder apart."""
    encoder, decoder = model.generator.encoder, model.generator.decoder
    with tf.GradientTape(persistent=True) as tape:
        gain, cost = measures(model, x, z)
        loss = weights[0] * gain + weights[1] * cost
    return [
        tape.gradient(loss, [v.value for v in part.trainable_variables])
        for part in (encoder, decoder)
    ]


@pytest.mark.parametrize("roles", ROLES)
def test_each_part_of_the_generator_follows_its_role(roles):
    alpha, lambda_ = 0.7, 0.4
    model = make(roles=roles, alpha=alpha, lambda_=lambda_, ceiling=None)
    x, z = batch(model)
    both, gain, cost = (-alpha, lambda_), (-alpha, 0.0), (0.0, lambda_)
    encoder, decoder = {
        "split": (gain, cost),
        "joint": (both, both),
        "anchored": (both, cost),
    }[roles]
    expected = gradients(model, x, z, encoder)[0] + gradients(model, x, z, decoder)[1]
    variables = model.generator.trainable_variables
    before = [v.numpy() for v in variables]
    model.generator_step(x, z, model.classifier(x))
    for old, variable, gradient in zip(before, variables, expected, strict=True):
        np.testing.assert_allclose(
            variable.numpy(), old - 1e-2 * gradient.numpy(), atol=1e-6
        )


def test_the_classifier_is_fixed_while_the_generator_moves():
    model = make()
    x, z = batch(model)
    before = model.classifier.get_weights()
    model.generator_step(x, z, model.classifier(x))
    for old, new in zip(before, model.classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = make(roles="joint")
        x, z = batch(model)
        weights = model.generator.get_weights()
        model.generator_step(x, z, model.classifier(x))
    finally:
        keras.config.set_dtype_policy(before)
    for old, new in zip(weights, model.generator.get_weights(), strict=True):
        assert np.all(np.isfinite(new))
        assert np.any(old != new)


@pytest.mark.parametrize(
    ("ceiling", "is_capped"), [("auto", True), (1.0, True), (1e9, False), (None, False)]
)
def test_beyond_the_ceiling_there_is_nothing_to_gain(ceiling, is_capped):
    model = make(ceiling=ceiling, lambda_=0.0, roles="joint")
    # Predictions so certain that every divergence is far above ln 2, or 0.
    logits = model.classifier.get_layer("logits")
    logits.set_weights([1e4 * w for w in logits.get_weights()])
    x, z = batch(model)
    before = model.generator.get_weights()
    model.generator_step(x, z, model.classifier(x))
    moved = any(
        np.any(old != new)
        for old, new in zip(before, model.generator.get_weights(), strict=True)
    )
    assert moved != is_capped


def bounded(classifier, epsilon=0.5, **settings):
    keras.utils.set_random_seed(0)
    generator = AdversarialExampleGenerator.bounded_dense((2,), epsilon, (16,), 2)
    model = AdversarialGeneratorTraining(
        classifier, generator, roles="joint", ceiling=None, **settings
    )
    model.compile("adam", generator_optimizer=keras.optimizers.Adam(1e-2))
    return model


def test_bounded_changes_keep_their_length_and_learn_the_best_direction():
    classifier, _ = parts()
    model = bounded(classifier)
    x, z = batch(model)
    directions = [(np.cos(t), np.sin(t)) for t in np.linspace(0.0, np.pi, 64)]
    p = tf.nn.softmax(classifier(x))

    def divergence(change):
        q = tf.nn.softmax(classifier(x + change))
        return tf.reduce_sum(p * tf.math.log(p / q), axis=1).numpy()

    tried = [0.5 * np.array(d, "float32") for d in directions]
    both_signs = [0.5 * (divergence(d) + divergence(-d)) for d in tried]
    best, mean = np.max(both_signs, axis=0).mean(), np.mean(both_signs)
    start = float(measures(model, x, z)[0])
    step = tf.function(model.generator_step)
    reached = []
    for update in range(300):
        step(x, z, model.classifier(x))
        if update >= 200 and update % 10 == 0:
            ends = [measures(model, x, sign * z)[0] for sign in (1.0, -1.0)]
            reached.append(0.5 * float(sum(ends)))
    lengths = np.linalg.norm(model.generate(x, z) - x, axis=1)
    np.testing.assert_allclose(lengths, 0.5, rtol=1e-5)
    assert start < 0.5 * (mean + best)
    # Adam swings, and where a dip falls depends on a machine's rounding.
    assert np.median(reached) == pytest.approx(best, rel=0.1)


def test_an_encoder_without_weights_needs_the_joint_role():
    classifier, _ = parts()
    generator = AdversarialExampleGenerator.bounded_dense((2,), 0.5)
    with pytest.raises(ValueError, match=r"needs `roles=\"joint\"`.*'split'"):
        AdversarialGeneratorTraining(classifier, generator)


def test_a_frozen_generator_stays_as_it_is():
    classifier, generator = parts()
    generator.trainable = False
    model = AdversarialGeneratorTraining(classifier, generator, roles="joint")
    model.compile("adam")
    x = np.random.default_rng(0).normal(size=(16, 2))
    data = SemiSupervisedDataset(x, np.arange(16) % 2, x)
    before = generator.get_weights(), classifier.get_weights()
    logs = model.fit(data, verbose=0).history
    assert logs["consistency"][0] > 0.0
    assert all(map(np.array_equal, before[0], generator.get_weights()))
    assert not any(map(np.array_equal, before[1], classifier.get_weights()))


def test_the_minimax_game_is_played():
    """The generator alone raises the divergence; both together keep it down."""
    model = make(roles="joint", lambda_=0.01, ceiling=None)
    model.compile("adam", generator_optimizer=keras.optimizers.Adam(1e-2))
    x, z = batch(model)
    start = float(measures(model, x, z)[0])
    for _ in range(60):
        model.generator_step(x, z, model.classifier(x))
    attacked = float(measures(model, x, z)[0])
    assert attacked > 2 * start
    data = SemiSupervisedDataset(
        x[:4].numpy(), np.arange(4) % 2, x.numpy(), steps_per_epoch=100
    )
    model.fit(data, verbose=0)
    assert float(measures(model, x, z)[0]) < attacked


@pytest.mark.parametrize("stop_gradient", [True, False])
def test_whose_prediction_the_classifier_moves(stop_gradient):
    model = make(rate=0.0, ceiling=None, alpha=0.7, stop_gradient=stop_gradient)
    x, _ = batch(model)
    z = model.draw_normal((16, model.generator.noise_dim), 2)
    weights = [v.value for v in model.classifier.trainable_variables]
    with tf.GradientTape() as tape:
        ((factor, term),) = model._unlabelled_terms(x, None, tape).values()
        term *= factor
    found = tape.gradient(term, weights)
    examples = model.generator([x, z])
    with tf.GradientTape() as tape:
        p = tf.nn.softmax(model.classifier(x))
        p = tf.stop_gradient(p) if stop_gradient else p
        q = tf.nn.softmax(model.classifier(examples))
        loss = 0.7 * tf.reduce_mean(tf.reduce_sum(p * tf.math.log(p / q), axis=1))
    expected = tape.gradient(loss, weights)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_monitors_are_what_they_say():
    model = make(rate=0.0)
    x, _ = batch(model)
    data = SemiSupervisedDataset(
        x[:4].numpy(), np.arange(4) % 2, x.numpy(), steps_per_epoch=1
    )
    logs = model.fit(data, verbose=0).history
    z = tf.random.stateless_normal((128, model.generator.noise_dim), [2, 0])
    rows = np.concatenate([data._unlabelled_order])
    clean = tf.gather(x, rows)
    squares = tf.reduce_sum(tf.square(model.generator([clean, z]) - clean), axis=1)
    assert logs["reconstruction"][0] == pytest.approx(float(tf.reduce_mean(squares)))
    distance = float(tf.reduce_mean(tf.sqrt(squares)))
    assert logs["distance"][0] == pytest.approx(distance)


def test_a_generator_that_does_not_fit():
    classifier, _ = parts()
    wide = AdversarialExampleGenerator.dense((3,))
    with pytest.raises(ValueError, match=r"input does not fit.*\(2,\).*shape \(3,\)"):
        AdversarialGeneratorTraining(classifier, wide)

    class Crooked:
        encoder = AdversarialExampleGenerator.dense((2,)).encoder
        decoder = wide.decoder
        noise_dim = 4

    with pytest.raises(ValueError, match=r"output does not fit.*\(2,\).*shape \(3,\)"):
        AdversarialGeneratorTraining(classifier, Crooked())
    with pytest.raises(TypeError, match="must have `encoder`, `decoder`"):
        AdversarialGeneratorTraining(classifier, classifier)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": -1.0}, r"`alpha` must be at least 0.*-1"),
        ({"lambda_": -1.0}, r"`lambda_` must be at least 0.*-1"),
        ({"alpha": np.nan}, r"`alpha` must be at least 0.*nan"),
        ({"roles": "both"}, r"`roles` must be one of .*'both'"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)
