import keras
import numpy as np
import pytest

from uae_tf.models import ResNet18

IMAGES = np.random.default_rng(0).random((3, 8, 8, 3)).astype("float32")


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(0)
    return ResNet18(width=2, input_shape=(8, 8, 3))


def test_the_published_width_has_the_published_shape_and_weights():
    # Convolutions and their normalisation, counted by hand from SPEC 6.4.
    def convolution(size, filters_in, filters_out):
        return size**2 * filters_in * filters_out + 4 * filters_out

    expected = convolution(3, 3, 64)
    filters_in = 64
    for filters in (64, 128, 256, 512):
        expected += convolution(1, filters_in, filters)
        expected += convolution(3, filters_in, filters)
        expected += 3 * convolution(3, filters, filters)
        filters_in = filters
    model = ResNet18()
    assert model.count_params() == expected
    assert model.output_shape == (None, 512)
    strides = [
        layer.strides[0]
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.name.endswith("_conv1")
    ]
    assert strides == [1, 1, 2, 1, 2, 1, 2, 1]
    # One after the stem, two in each block.
    assert sum(isinstance(layer, keras.layers.ReLU) for layer in model.layers) == 17


def test_normalisation_is_that_of_the_reference(encoder):
    norms = [
        layer
        for layer in encoder.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert {(norm.momentum, norm.epsilon) for norm in norms} == {(0.9, 1e-5)}
    at_zero = {norm.name for norm in norms if not norm.gamma.numpy().any()}
    assert at_zero == {
        f"group{group}_block{block}_norm2" for group in (1, 2, 3, 4) for block in (1, 2)
    }


def test_a_block_without_projection_starts_as_its_shortcut(encoder):
    block = keras.Model(
        encoder.inputs[0],
        [encoder.get_layer(f"group1_block{n}_relu2").output for n in (1, 2)],
    )
    before, after = block(IMAGES)
    np.testing.assert_array_equal(before, after)


def test_features_are_means_over_the_last_maps(encoder):
    assert encoder(IMAGES).shape == (3, 16)
    assert encoder.get_layer("stem_conv").output.shape == (None, 8, 8, 2)
    assert encoder.get_layer("group4_block2_relu2").output.shape == (None, 1, 1, 16)


def test_the_large_stem_reduces_by_four():
    model = ResNet18("imagenet", width=2, input_shape=(64, 64, 1))
    assert model.get_layer("stem_pool").output.shape == (None, 16, 16, 2)
    assert model.output_shape == (None, 16)


def test_strided_convolutions_treat_both_sides_alike():
    keras.utils.set_random_seed(0)
    model = ResNet18(width=2, input_shape=(9, 9, 3))
    images = np.random.default_rng(1).random((1, 9, 9, 3)).astype("float32")
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = layer.kernel.numpy()
            layer.kernel.assign((kernel + kernel[:, ::-1]) / 2)
    np.testing.assert_allclose(model(images), model(images[:, :, ::-1]), rtol=1e-5)


def test_mixed_precision_keeps_features_and_weights_in_float32():
    model = ResNet18(width=2, input_shape=(8, 8, 3), dtype="mixed_bfloat16")
    assert model.get_layer("group2_block1_conv1").compute_dtype == "bfloat16"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model(IMAGES).dtype == "float32"


def test_survives_a_file_with_its_dtype(tmp_path):
    model = ResNet18(width=2, input_shape=(8, 8, 3), dtype="mixed_bfloat16", name="r")
    model.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    assert isinstance(again, ResNet18)
    assert again.get_config() == model.get_config()
    assert again.get_layer("stem_conv").compute_dtype == "bfloat16"
    np.testing.assert_array_equal(again(IMAGES), model(IMAGES))


def test_half_precision_scales_the_loss_before_and_after_a_file(tmp_path):
    model = ResNet18(width=2, input_shape=(8, 8, 3), dtype="mixed_float16")
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(IMAGES, np.ones((len(IMAGES), 16)), verbose=0)
    model.save(tmp_path / "encoder.keras")
    # Keras warns, here an error, where the variables are others.
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    assert again.dtype_policy == model.dtype_policy
    for part in (model, again):
        assert isinstance(part.optimizer, keras.optimizers.LossScaleOptimizer)
    for old, new in zip(
        model.optimizer.variables, again.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stem": "mnist"}, "stem must be one of 'cifar', 'imagenet'"),
        ({"width": 0}, "width must be positive integers"),
        ({"input_shape": (32, 32)}, r"input_shape must be \(height, width, channels\)"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ResNet18(**settings)
