import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf.models import ConcreteSelect

X = np.random.default_rng(0).random((5, 8)).astype("float32")


def built(**settings):
    layer = ConcreteSelect(**{"k": 3, "seed": 0, **settings})
    layer.build((None, 8))
    return layer


@pytest.mark.parametrize("embedding_dim", [None, 4])
def test_inference_is_the_selected_columns_exactly(embedding_dim):
    layer = built(embedding_dim=embedding_dim)
    np.testing.assert_array_equal(layer(X), X[:, layer.selected_features])
    np.testing.assert_array_equal(layer(X), layer(X, training=False))


def test_training_mixes_columns_anew_at_every_call():
    layer = built()
    first, second = layer(X, training=True), layer(X, training=True)
    assert not np.allclose(first, second)
    # A mixture of inputs lies between the smallest and the largest of them.
    assert np.all(first >= X.min(axis=1, keepdims=True))
    assert np.all(first <= X.max(axis=1, keepdims=True))


def test_one_draw_serves_the_whole_batch():
    layer = built()
    twins = np.repeat(X[:1], 4, axis=0)
    mixed = layer(twins, training=True).numpy()
    np.testing.assert_array_equal(mixed, np.repeat(mixed[:1], 4, axis=0))


def test_the_seed_repeats_logits_and_noise():
    one, same, other = built(), built(), built(seed=1)
    np.testing.assert_array_equal(one(X, training=True), same(X, training=True))
    assert not np.allclose(one.probabilities, other.probabilities)


def test_a_call_never_cools():
    layer = built()
    for _ in range(3):
        layer(X, training=True)
        layer(X)
    assert float(layer.temperature) == 10.0


def test_the_temperature_falls_exponentially_and_stops_at_the_end():
    layer = built(start_temperature=8.0, end_temperature=0.5)
    found = []
    for progress in (0.0, 0.25, 0.5, 1.0, 7.0, -1.0):
        layer.anneal(progress)
        found.append(float(layer.temperature))
    np.testing.assert_allclose(found, [8.0, 4.0, 2.0, 0.5, 0.5, 8.0], rtol=1e-5)


def test_steps_go_on_from_wherever_the_temperature_stands():
    layer = built()
    # More of them than single precision can tell apart from one end to the other.
    layer.anneal(0.5)
    for _ in range(5):
        layer.anneal_by_step(10_000_000)
    np.testing.assert_allclose(layer.temperature, 0.01 ** (0.5e-6), rtol=1e-6)
    for _ in range(3):
        layer.anneal_by_step(4)
    assert float(layer.temperature) == pytest.approx(0.1)
    level = built(start_temperature=2.0, end_temperature=2.0)
    level.anneal_by_step(3)
    assert float(level.temperature) == 2.0


def test_the_sample_is_the_formula():
    """softmax((logits + Gumbel) / temperature), with the layer's own uniforms."""
    layer = built()
    layer.anneal(0.3)
    seeds = keras.random.SeedGenerator(0)
    uniform = keras.random.uniform((3, 8), keras.config.epsilon(), 1.0, seed=seeds)
    noisy = layer.logits.numpy() - np.log(-np.log(uniform))
    noisy /= float(layer.temperature)
    shares = np.exp(noisy - noisy.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    mixed = layer(X, training=True)
    np.testing.assert_allclose(mixed, X @ shares.T, rtol=1e-5)


def test_cold_and_decided_training_is_inference():
    layer = built()
    layer._logits.assign(30.0 * np.eye(3, 8, k=2))
    layer.anneal(1.0)
    np.testing.assert_allclose(layer(X, training=True), X[:, [2, 3, 4]], atol=1e-6)
    assert layer.selected_features.tolist() == [2, 3, 4]
    assert layer.confidence == pytest.approx(1.0)


def test_confidence_is_the_mean_over_the_units():
    layer = built()
    layer._logits.assign(np.diag([30.0, 0.0, 0.0]) @ np.eye(3, 8))
    # One has decided, two have not begun to.
    assert layer.confidence == pytest.approx((1 + 1 / 8 + 1 / 8) / 3)


def test_duplicates_are_counted():
    layer = built()
    layer._logits.assign(np.eye(8)[[5, 5, 1]])
    assert layer.selected_features.tolist() == [5, 5, 1]
    assert layer.num_distinct == 2
    np.testing.assert_allclose(layer.probabilities.sum(axis=1), 1.0, rtol=1e-6)


def test_at_inference_only_selected_inputs_have_a_gradient():
    layer = built()
    layer._logits.assign(np.eye(8)[[5, 5, 1]])
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(layer(x))
    expected = np.zeros((5, 8))
    expected[:, 5], expected[:, 1] = 2.0, 1.0
    gradient = tf.convert_to_tensor(tape.gradient(total, x))
    np.testing.assert_array_equal(gradient, expected)


def test_indirect_logits_come_from_shared_weights():
    layer = built(embedding_dim=4)
    shapes = [tuple(weight.shape) for weight in layer.trainable_weights]
    assert shapes == [(3, 4), (4, 8), (8,)]
    product = layer._embeddings.numpy() @ layer._kernel.numpy() + layer._bias.numpy()
    np.testing.assert_allclose(layer.logits, product, rtol=1e-6)


def test_half_precision_keeps_its_logits_and_its_output_type():
    layer = built(dtype="mixed_float16")
    half = layer(tf.cast(X, tf.float16), training=True)
    assert half.dtype == tf.float16
    assert layer.logits.dtype == tf.float32
    layer.anneal(0.999)
    assert 0.1 < float(layer.temperature) < 0.1006


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool"])
def test_whole_numbers_are_selected_as_floats(dtype):
    whole = (10 * X).astype(dtype)
    for training in (False, True):
        found = built()(whole, training=training)
        assert found.dtype == tf.float32
        wanted = built()(whole.astype("float32"), training=training)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("embedding_dim", [None, 4])
def test_it_is_saved_with_temperature_and_choice(embedding_dim, tmp_path):
    layer = built(embedding_dim=embedding_dim, end_temperature=0.5)
    model = keras.Sequential([keras.Input((8,)), layer])
    layer.anneal(0.7)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").layers[0]
    assert loaded.get_config() == layer.get_config()
    assert float(loaded.temperature) == float(layer.temperature)
    np.testing.assert_array_equal(loaded.probabilities, layer.probabilities)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 0}, "k must be a positive integer. Received: 0"),
        ({"k": 2.5}, "k must be a positive integer. Received: 2.5"),
        ({"k": 2, "embedding_dim": -1}, "embedding_dim must be a positive"),
        ({"k": 2, "end_temperature": 0.0}, "0 < end_temperature <= start"),
        ({"k": 2, "end_temperature": 11.0}, "0 < end_temperature <= start"),
        ({"k": 2, "start_temperature": float("nan")}, "0 < end_temperature <="),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        ConcreteSelect(**settings)


def test_images_must_be_flattened_first():
    with pytest.raises(ValueError, match=r"vectors.*shape \(None, 4, 2\).*Flatten"):
        ConcreteSelect(2).build((None, 4, 2))
