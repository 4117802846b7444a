import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf.losses import SparsityPenalty, kl_sparsity, l1_penalty


def test_l1_by_hand():
    activations = tf.constant([[0.5, -1.0], [2.0, 0.0]])
    assert float(l1_penalty(activations)) == 3.5
    assert float(l1_penalty(activations, "batch_mean")) == 1.75


def test_kl_by_hand():
    # Mean activations 0.2 and 0.1, target 0.1; the second unit adds nothing.
    activations = tf.constant([[0.1, 0.0], [0.3, 0.2]])
    first = 0.1 * np.log(0.1 / 0.2) + 0.9 * np.log(0.9 / 0.8)
    np.testing.assert_allclose(kl_sparsity(activations), first / 2, rtol=1e-5)


def test_kl_is_zero_at_the_target():
    np.testing.assert_allclose(kl_sparsity(tf.fill((4, 3), 0.25), 0.25), 0, atol=1e-6)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_kl_is_finite_for_a_unit_always_off_or_on(level):
    assert np.isfinite(kl_sparsity(tf.fill((4, 3), level)))


def test_kl_gradient_pushes_towards_the_target():
    activations = tf.constant([[0.02, 0.5]])
    with tf.GradientTape() as tape:
        tape.watch(activations)
        loss = kl_sparsity(activations, 0.1)
    low, high = tape.gradient(loss, activations).numpy()[0]
    assert low < 0 < high


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_penalties_leave_the_precision_of_the_activations(dtype):
    # 100,000 * 1 is more than float16 holds.
    activations = tf.ones((100, 1000), dtype)
    assert float(l1_penalty(activations)) == 100_000.0
    assert l1_penalty(activations).dtype == kl_sparsity(activations).dtype == tf.float32


def test_layer_passes_through_and_adds_the_weighted_sum():
    activations = tf.constant([[0.2, 0.4], [0.6, 0.8]])
    layer = SparsityPenalty(l1=0.5, kl_weight=3.0, target=0.2)
    np.testing.assert_array_equal(layer(activations), activations)
    expected = 0.5 * l1_penalty(activations) + 3.0 * kl_sparsity(activations, 0.2)
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-6)


def test_layer_may_divide_by_the_batch_size():
    layer = SparsityPenalty(l1=0.5, reduction="batch_mean")
    layer(tf.ones((2, 3)))
    assert float(sum(layer.losses)) == 1.5


def test_layer_without_weights_adds_nothing():
    layer = SparsityPenalty(l1=0.0)
    layer(tf.ones((2, 3)))
    assert layer.losses == []


def test_layer_in_a_model_counts_the_last_call_only():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, SparsityPenalty(l1=1.0)(inputs))
    for _ in range(3):
        model(tf.ones((2, 3)))
    assert float(sum(model.losses)) == 6.0


def test_layer_config_round_trip():
    layer = SparsityPenalty(0.5, 2.0, 0.3, "batch_mean", name="penalty")
    data = keras.saving.serialize_keras_object(layer)
    assert data["registered_name"] == "uae_tf>SparsityPenalty"
    again = keras.saving.deserialize_keras_object(data)
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"l1": -1.0}, "l1 must be at least 0. Received: l1=-1.0"),
        ({"kl_weight": float("nan")}, "Received: kl_weight=nan"),
        ({"target": 0.0}, r"lie in \(0, 1\). Received: target=0.0"),
        ({"target": 1.0}, "Received: target=1.0"),
        ({"reduction": "mean"}, "'sum', 'batch_mean'. Received: reduction='mean'"),
    ],
)
def test_layer_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        SparsityPenalty(**arguments)


@pytest.mark.parametrize("target", [0.0, 1.5])
def test_kl_of_a_target_out_of_range_is_refused(target):
    with pytest.raises(
        ValueError, match=rf"lie in \(0, 1\). Received: target={target}"
    ):
        kl_sparsity(tf.fill((4, 3), 0.5), target)
