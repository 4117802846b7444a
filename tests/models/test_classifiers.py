import keras
import numpy as np
import pytest

from uae_tf.models import ConvolutionalClassifier, DenseClassifier, check_logits

MAKE = {
    "dense": lambda: DenseClassifier((4, 4, 1), 3, (8, 6)),
    "plain": lambda: DenseClassifier((5,), 2, (8,), normalization=False),
    "convolutional": lambda: ConvolutionalClassifier(
        (14, 16, 2), 4, width=2, normalize_logits=True
    ),
}


@pytest.fixture(params=MAKE)
def model(request):
    keras.utils.set_random_seed(0)
    return MAKE[request.param]()


def test_it_gives_logits_and_survives_a_keras_file(model, tmp_path):
    x = np.random.default_rng(0).random((3, *model.sample_shape)).astype("float32")
    logits = model.predict(x, verbose=0)
    assert logits.shape == (3, model.num_classes)
    assert check_logits(model, model.sample_shape) == model.num_classes
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), logits)


def test_published_sizes():
    circles = DenseClassifier((2,), 2, (100, 50), normalization=False)
    assert circles.count_params() == 2 * 100 + 100 + 100 * 50 + 50 + 50 * 2 + 2
    mnist = DenseClassifier((28, 28, 1), 10)
    weights = 784 * 1200 + 1200 * 1200 + 1200 * 10 + 10
    assert mnist.count_params() == weights + 2 * 4 * 1200
    large = ConvolutionalClassifier((32, 32, 3), 10)
    kernels = [
        layer for layer in large.layers if isinstance(layer, keras.layers.Conv2D)
    ]
    assert [k.filters for k in kernels] == [128] * 3 + [256] * 3 + [512, 256, 128]
    assert [k.kernel_size[0] for k in kernels] == [3] * 7 + [1] * 2
    assert not any(kernel.use_bias for kernel in kernels)
    # 32 -> 16 -> 8, and the one convolution without padding.
    assert large.get_layer("conv3_3").output.shape == (None, 6, 6, 128)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DenseClassifier((2,), 1), "num_classes must be.*at least 2.*=1"),
        (lambda: DenseClassifier((2,), 2, ()), "hidden_units must be positive"),
        (lambda: DenseClassifier((2,), 2, 8), "hidden_units must be positive.*8"),
        (lambda: DenseClassifier((), 2), "input_shape must be the shape"),
        (lambda: ConvolutionalClassifier((28, 28), 2), "sides of 12 or more"),
        (lambda: ConvolutionalClassifier((8, 8, 1), 2), r"\(8, 8, 1\)"),
        (lambda: ConvolutionalClassifier((16, 16, 1), 2, dropout=1.0), "dropout must"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
