import keras
import numpy as np
import pytest

from uae_tf.models import (
    CarliniWagnerClassifier,
    ConvolutionalClassifier,
    DenseClassifier,
    build_classifier,
    check_logits,
    classifier_recipe,
    strided_classifier,
)
from uae_tf.models.classifier_recipes import DATASETS

MAKE = {
    "dense": lambda: DenseClassifier((4, 4, 1), 3, (8, 6)),
    "plain": lambda: DenseClassifier((5,), 2, (8,), normalization=False),
    "convolutional": lambda: ConvolutionalClassifier(
        (14, 16, 2), 4, width=2, normalize_logits=True
    ),
    "carlini_wagner": lambda: CarliniWagnerClassifier(
        (6, 5, 1), 3, filters=(2, 3), units=4, padding="same"
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


def test_all_of_it_is_normalised_alike():
    model = MAKE["convolutional"]()
    norms = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert norms[-1].name == "logits_norm"
    assert {norm.epsilon for norm in norms} == {1e-6}  # SPEC 7.1.3


def test_carlini_and_wagners_networks():
    mnist = build_classifier("mnist")
    maps = [mnist.get_layer(f"conv{block}_{i}") for block in (1, 2) for i in (1, 2)]
    # K 32 maps of 26 x 26: the views of MINE (SPEC 2.1.6), with their ReLU.
    assert [layer.output.shape[1:] for layer in maps] == [
        (26, 26, 32),
        (24, 24, 32),
        (10, 10, 64),
        (8, 8, 64),
    ]
    assert maps[0].activation is keras.activations.relu
    assert mnist.get_layer("hidden1").output.shape == (None, 200)
    colour = build_classifier("cifar10")
    assert colour.get_layer("conv1_1").output.shape == (None, 30, 30, 64)
    assert colour.get_layer("hidden2").output.shape == (None, 256)
    assert colour.get_layer("conv2_2").filters == 128


@pytest.mark.parametrize("cls", [ConvolutionalClassifier, CarliniWagnerClassifier])
def test_images_are_centred_and_dropped_out_as_asked(cls):
    model = cls((16, 16, 1), 3, dropout=0.25)
    x = np.random.default_rng(0).random((2, 16, 16, 1)).astype("float32")
    np.testing.assert_allclose(model.layers[1](x), x - 0.5, atol=1e-7)
    drops = [d for d in model.layers if isinstance(d, keras.layers.Dropout)]
    assert {drop.rate for drop in drops} == {0.25}
    # SPEC 7.1.3.
    slopes = {getattr(layer, "negative_slope", 0.1) for layer in model.layers}
    assert slopes == {0.1}


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (lambda: DenseClassifier((6,), 3, (5, 4)), 2),
        (lambda: DenseClassifier((6,), 3, (5, 4), normalization=False), 2),
        (MAKE["carlini_wagner"], 6),
        (lambda: strided_classifier((8, 8, 1), 3, (2, 2), 4), 3),
    ],
)
def test_a_relu_follows_every_layer_but_the_last(model, count):
    found = [getattr(layer, "activation", None) for layer in model().layers]
    assert found.count(keras.activations.relu) == count
    assert found[-1] is keras.activations.linear


def test_the_published_recipe():
    for dataset in ("mnist", "fashion_mnist", "cifar10"):
        recipe = classifier_recipe(dataset)
        assert (recipe.epochs, recipe.batch_size) == (50, 128)
        optimizer = recipe.optimizer()
        assert (optimizer.momentum, optimizer.nesterov) == (0.9, True)
        # The `decay` of the old Keras.
        optimizer.build([])
        optimizer.iterations.assign(1_000_000)
        assert float(optimizer.learning_rate) == pytest.approx(0.005, rel=1e-4)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_classifier_has_a_modern_recipe(dataset):
    recipe = classifier_recipe(dataset, "modern")
    assert recipe.optimizer() is not recipe.optimizer()
    model = build_classifier(dataset, "modern", units=8)
    assert model.sample_shape == recipe.input_shape
    assert model.units == 8
    assert model.compiled


def test_an_unknown_recipe_lists_the_known():
    with pytest.raises(
        ValueError, match=r"dataset='svhn'.*mnist \(paper\), mnist \(mod"
    ):
        build_classifier("svhn")
    with pytest.raises(ValueError, match=r"dataset='digits', name='paper'"):
        classifier_recipe("digits")


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
        (lambda: CarliniWagnerClassifier((28, 28)), "sides of 16 or more"),
        (lambda: CarliniWagnerClassifier((8, 8, 1)), r"'valid' sides.*\(8, 8, 1\)"),
        (lambda: CarliniWagnerClassifier((3, 8, 1), padding="same"), "of 4 or more"),
        (lambda: CarliniWagnerClassifier((16, 16, 1), padding="full"), "padding must"),
        (lambda: CarliniWagnerClassifier((16, 16, 1), filters=(8,)), "two numbers"),
        (lambda: CarliniWagnerClassifier((16, 16, 1), units=0), "units must be posi"),
        (lambda: CarliniWagnerClassifier((16, 16, 1), dropout=-1), "dropout must"),
        (lambda: CarliniWagnerClassifier((16, 16, 1), 1), "num_classes must"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
