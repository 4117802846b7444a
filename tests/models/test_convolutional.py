import keras
import pytest

from uae_tf.models import ConvolutionalAutoencoder


def filters(model):
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    return [layer.filters for layer in convolutions]


def test_mnist_form():
    model = ConvolutionalAutoencoder((28, 28, 1))
    assert model.form == "mnist"
    assert filters(model) == [16, 8, 8, 16, 1]
    assert model.layers[1].kernel_size == (5, 5)
    assert model.layers[1].output.shape == (None, 28, 28, 16)
    assert model.encoder.output_shape == (None, 7, 7, 8)


def test_svhn_form():
    model = ConvolutionalAutoencoder((32, 32, 3))
    assert model.form == "svhn"
    assert filters(model) == [64, 32, 16, 16, 32, 64, 3]
    first = model.layers[1]
    assert isinstance(first, keras.layers.Conv2D)
    assert first.activation is keras.activations.linear
    assert first.output.shape == (None, 32, 32, 64)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((8, 8, 1), ["relu"] * 4), ((8, 8, 3), ["relu"] * 6)],
)
def test_all_but_the_last_convolution_end_in_a_relu(shape, expected):
    """SPEC 3.5, 3.6."""
    found = [
        layer.activation.__name__
        for layer in ConvolutionalAutoencoder(shape).layers
        if hasattr(layer, "activation")
    ]
    assert [name for name in found if name != "linear"] == [*expected, "sigmoid"]


def test_form_overrides_the_channels():
    assert ConvolutionalAutoencoder((28, 28, 3), form="mnist").form == "mnist"
    assert ConvolutionalAutoencoder((16, 16, 1), form="svhn").form == "svhn"


@pytest.mark.parametrize(
    ("shape", "form", "factor", "padded"),
    [
        ((30, 30, 1), "auto", 4, "(32, 32, 1)"),
        ((28, 27, 1), "auto", 4, "(28, 28, 1)"),
        ((2, 2, 1), "auto", 4, "(4, 4, 1)"),
        ((28, 28, 3), "auto", 8, "(32, 32, 3)"),
    ],
)
def test_refuses_what_pooling_cannot_give_back(shape, form, factor, padded):
    with pytest.raises(ValueError, match=f"divisible by {factor}") as caught:
        ConvolutionalAutoencoder(shape, form)
    assert f"Pad the images to {padded}" in str(caught.value)


@pytest.mark.parametrize("shape", [(64,), (28, 28), (4, 8, 8, 1)])
def test_refuses_what_is_no_image(shape):
    with pytest.raises(ValueError, match=r"must be \(height, width, channels\)"):
        ConvolutionalAutoencoder(shape)


def test_refuses_an_unknown_form():
    with pytest.raises(ValueError, match="Received: form='vgg'"):
        ConvolutionalAutoencoder((28, 28, 1), form="vgg")
