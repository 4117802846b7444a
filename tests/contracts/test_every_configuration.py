"""No setting is missing in a configuration: manifests compare runs by them.

A round trip alone does not show it: what `get_config` leaves out, both sides lack.
"""

import inspect

import keras
import numpy as np
import pytest
from keras import layers

import uae_tf
from uae_tf import models
from uae_tf.losses import NTXent, SparsityPenalty
from uae_tf.models.bounded_change import BoundedChange
from uae_tf.optimizers import LARS, LinearDecay


def dense():
    return keras.Sequential([keras.Input((8,)), layers.Dense(8)])


def encoder():
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(4)])


def head():
    return keras.Sequential([keras.Input((4,)), layers.Dense(2)])


def reconstruction():
    return uae_tf.Reconstruction(dense())


MAKE = {
    "minmax": lambda: uae_tf.MinMaxAttack(reconstruction()),
    "penalty": lambda: uae_tf.PenaltyAttack(reconstruction()),
    "pgd": lambda: uae_tf.PGDAttack(reconstruction()),
    "virtual_adversarial": lambda: uae_tf.VirtualAdversarialPerturbation(
        uae_tf.Divergence(dense())
    ),
    "gaussian_noise": lambda: uae_tf.GaussianNoise(0.1, reconstruction()),
    "uniform_noise": lambda: uae_tf.UniformNoise(0.1, reconstruction()),
    "matched_noise": uae_tf.MatchedNoise,
    "reconstruction": reconstruction,
    "divergence": lambda: uae_tf.Divergence(dense()),
    "untargeted_margin": lambda: uae_tf.UntargetedMargin(dense()),
    "targeted_margin": lambda: uae_tf.TargetedMargin(dense()),
    "contrastive": lambda: uae_tf.Contrastive(encoder(), np.zeros((2, 8, 8, 3))),
    "mine": uae_tf.MINE,
    "gaussian_mi": uae_tf.GaussianMI,
    "l2": uae_tf.L2Similarity,
    "nt_xent": NTXent,
    "sparsity": SparsityPenalty,
    "lars": LARS,
    "linear_decay": lambda: LinearDecay(0.1, 10),
    "dense": lambda: models.DenseAutoencoder((8,)),
    "sparse": lambda: models.SparseAutoencoder((8,)),
    "convolutional": lambda: models.ConvolutionalAutoencoder((8, 8, 1)),
    "adversarial": lambda: models.AdversarialAutoencoder((8,), hidden_units=4),
    "concrete": lambda: models.ConcreteAutoencoder(2, input_shape=(8,)),
    "concrete_select": lambda: models.ConcreteSelect(2),
    "dense_classifier": lambda: models.DenseClassifier((8,), 2, (4,)),
    "convolutional_classifier": lambda: models.ConvolutionalClassifier(
        (12, 12, 1), 2, width=2
    ),
    "carlini_wagner": lambda: models.CarliniWagnerClassifier(
        (4, 4, 1), filters=(2, 2), units=4, padding="same"
    ),
    "resnet": lambda: models.ResNet18(width=2, input_shape=(8, 8, 3)),
    "generator": lambda: models.AdversarialExampleGenerator.dense((8,)),
    "bounded_change": lambda: BoundedChange(1.0),
    "simclr": lambda: models.SimCLR(encoder(), head()),
    "simclr_augment": models.SimCLRAugment,
}


@pytest.mark.parametrize("name", MAKE)
def test_every_setting_is_told(name):
    made = MAKE[name]()
    parameters = inspect.signature(type(made)).parameters.values()
    settings = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    # A configuration of a criterion holds no weights.
    missing = settings - set(made.get_config()) - {"model"}
    assert not missing
