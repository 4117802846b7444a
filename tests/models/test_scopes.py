"""Models take (height, width, channels), whatever Keras's global setting says."""

import keras
import numpy as np
import pytest

from uae_tf import models

SHAPE = (16, 24, 3)
MAKE = {
    "dense": lambda: models.DenseAutoencoder(SHAPE, 4),
    "mnist": lambda: models.ConvolutionalAutoencoder(SHAPE, "mnist"),
    "svhn": lambda: models.ConvolutionalAutoencoder(SHAPE, "svhn"),
    "dense_classifier": lambda: models.DenseClassifier(SHAPE, 3, (4,)),
    "convolutional_classifier": lambda: models.ConvolutionalClassifier(
        SHAPE, 3, width=2
    ),
    "carlini_wagner": lambda: models.CarliniWagnerClassifier(SHAPE, 3, (2, 2), 4),
    "strided": lambda: models.strided_classifier(SHAPE, 3),
    "resnet": lambda: models.ResNet18(width=2, input_shape=SHAPE),
    "imagenet": lambda: models.ResNet18("imagenet", width=2, input_shape=SHAPE),
    "generator": lambda: models.AdversarialExampleGenerator.convolutional(
        SHAPE, width=2, noise_dim=3
    ),
    "dense_generator": lambda: models.AdversarialExampleGenerator.dense(SHAPE, (32,)),
    "bounded_dense": lambda: models.AdversarialExampleGenerator.bounded_dense(
        SHAPE, 1.0, (4,), 3
    ),
    "bounded_unet": lambda: models.AdversarialExampleGenerator.bounded_unet(
        SHAPE, 1.0, width=2, noise_dim=3
    ),
}


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def outputs(name):
    """Of a model of seed 0; a generator draws its noise from that seed too."""
    keras.utils.set_random_seed(0)
    model = MAKE[name]()
    x = np.random.default_rng(0).random((2, *SHAPE), dtype=np.float32)
    return model.count_params(), model(x, training=False).numpy()


@pytest.fixture(params=MAKE)
def case(request):
    return request.param, *outputs(request.param)


def test_the_global_data_format_changes_nothing(case, channels_first):
    name, parameters, expected = case
    found_parameters, found = outputs(name)
    assert found_parameters == parameters
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert keras.config.image_data_format() == "channels_first"
