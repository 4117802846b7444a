import keras
import numpy as np
import pytest

from uae_tf.optimizers import LARS


def steps(optimizer, values, gradients):
    weights = keras.Variable(values, name="kernel")
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weights])
    return weights.numpy()


def test_two_steps_agree_with_the_formula_by_hand():
    w, velocity = np.array([3.0, -4.0, 12.0]), np.zeros(3)  # length 13
    gradients = [np.array([1.0, 2.0, -2.0]), np.array([-0.5, 0.0, 1.0])]
    rate, momentum, decay, trust = 0.7, 0.9, 0.1, 0.02
    got = steps(LARS(rate, momentum, decay, trust), w, gradients)
    for gradient in gradients:
        g = gradient + decay * w
        scale = rate * trust * np.sqrt(np.sum(w**2)) / np.sqrt(np.sum(g**2))
        velocity = momentum * velocity + scale * g
        w = w - velocity
    np.testing.assert_allclose(got, w, rtol=1e-6)


def test_a_first_step_moves_a_fraction_of_the_length_whatever_the_gradient():
    for size in (1e-6, 1.0, 1e6):
        got = steps(LARS(1.0, weight_decay=0.0), [3.0, 4.0], [[0.0, size]])
        np.testing.assert_allclose(got, [3.0, 4.0 - 1e-3 * 5.0], rtol=1e-6)


@pytest.mark.parametrize("values", [[0.0, 0.0], [1.0, 1.0]])
def test_zero_weights_and_zero_gradients_stay_finite(values):
    gradient = [1.0, 0.0] if not any(values) else [0.0, 0.0]
    got = steps(LARS(0.1, weight_decay=0.0), values, [gradient])
    np.testing.assert_allclose(got, np.subtract(values, np.multiply(0.1, gradient)))


def test_normalisation_biases_and_the_head_get_plain_momentum():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(3, name="dense")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="head")(x))
    optimizer = LARS()
    adapted = [v.path for v in model.trainable_weights if not optimizer.is_excluded(v)]
    assert adapted == ["dense/kernel"]

    optimizer = LARS(0.5, momentum=0.9, weight_decay=10.0)
    head = model.get_layer("head").kernel
    before, one = head.numpy(), np.ones(head.shape, "float32")
    optimizer.build([head])
    for _ in range(2):
        optimizer.apply([keras.ops.convert_to_tensor(one)], [head])
    np.testing.assert_allclose(head.numpy(), before - 0.5 * (1 + 1.9), rtol=1e-6)


def test_survives_a_config_with_its_schedule():
    schedule = keras.optimizers.schedules.CosineDecay(2.0, 100)
    optimizer = LARS(schedule, 0.8, 1e-5, 2e-3, exclude=["bias"])
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"momentum": 1.0}, "momentum must lie in"),
        ({"weight_decay": -1.0}, "weight_decay must be at least 0"),
        ({"trust_coefficient": 0.0}, "trust_coefficient above 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        LARS(**settings)


def test_weights_that_keras_is_told_not_to_decay_are_not():
    optimizer = LARS(1.0, momentum=0.0, weight_decay=0.5, trust_coefficient=0.1)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    np.testing.assert_array_equal(steps(optimizer, [3.0, 4.0], [[0.0, 0.0]]), [3, 4])
    # Adapted all the same.
    optimizer = LARS(1.0, momentum=0.0, weight_decay=0.5, trust_coefficient=0.1)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    got = steps(optimizer, [3.0, 4.0], [[0.0, 9.0]])
    np.testing.assert_allclose(got, [3.0, 3.5], rtol=1e-6)


def test_no_decay_may_be_none_and_one_exclusion_a_name():
    assert steps(LARS(weight_decay=None), [3.0], [[0.0]]) == [3.0]
    assert LARS(exclude="bias").exclude == ("bias",)
