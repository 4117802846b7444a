"""Every attack on every kind of model, each pair built and compiled once."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pytest
from keras import layers

from uae_tf import (
    MINE,
    Contrastive,
    Divergence,
    GaussianMI,
    GaussianNoise,
    L2Similarity,
    MatchedNoise,
    MinMaxAttack,
    PenaltyAttack,
    PGDAttack,
    Reconstruction,
    UniformNoise,
    VirtualAdversarialPerturbation,
)
from uae_tf.attacks import Attack, AttackResult
from uae_tf.criteria import Criterion
from uae_tf.models import SimCLR, SimCLRAugment

SAMPLES, BATCH_SIZE = 6, 4


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """Without `training` in its call, and without compute_output_shape."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.encoder = layers.Conv2D(4, 3, padding="same", activation="relu")
        self.decoder = layers.Conv2D(2, 3, padding="same", activation="sigmoid")

    def call(self, x):
        return self.decoder(self.encoder(x))


def functional_dense(shape):
    inputs = keras.Input(shape)
    hidden = layers.Dense(6, activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(shape[0], activation="sigmoid")(hidden))


def sequential_convolution(shape):
    kind = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}[len(shape) - 1]
    return keras.Sequential(
        [
            keras.Input(shape),
            kind(4, 3, padding="same", activation="relu"),
            kind(shape[-1], 3, padding="same", activation="sigmoid"),
        ]
    )


def subclassed(shape):
    model = Subclassed()
    model(np.zeros((1, *shape), "float32"))
    return model


def normalised(shape):
    """BatchNorm with statistics of its own, and Dropout."""
    inputs = keras.Input(shape)
    hidden = layers.Conv2D(4, 3, padding="same")(inputs)
    hidden = layers.Activation("relu")(layers.BatchNormalization()(hidden))
    hidden = layers.Dropout(0.5)(hidden)
    model = keras.Model(inputs, layers.Conv2D(shape[-1], 3, padding="same")(hidden))
    norm = model.layers[2]
    norm.moving_mean.assign([0.1, 0.2, -0.1, 0.0])
    norm.moving_variance.assign([0.5, 2.0, 1.0, 0.3])
    return model


def flattened(shape):
    size = int(np.prod(shape))
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Flatten(),
            layers.Dense(6, activation="tanh"),
            layers.Dense(size, activation="sigmoid"),
            layers.Reshape(shape),
        ]
    )


def contrastive(shape):
    """Without a change of hue: it costs most of the trace."""
    inputs = keras.Input(shape)
    maps = layers.Conv2D(4, 3, activation="relu", name="stem_conv")(inputs)
    encoder = keras.Model(inputs, layers.Dense(6)(layers.Flatten()(maps)))
    projection = keras.Sequential([keras.Input((6,)), layers.Dense(4)])
    augment = SimCLRAugment(strength=0.0, grey_probability=0.2, seed=0)
    return SimCLR(encoder, projection, augment=augment)


MODELS = {
    "functional-vector": (functional_dense, (12,)),
    "sequential-images": (sequential_convolution, (8, 8, 1)),
    "sequential-odd-images": (sequential_convolution, (7, 9, 3)),
    "sequential-sequences": (sequential_convolution, (16, 2)),
    "sequential-volumes": (sequential_convolution, (3, 4, 3, 2)),
    "subclassed-images": (subclassed, (6, 6, 2)),
    "norm-and-dropout": (normalised, (6, 6, 1)),
    "flattened-images": (flattened, (4, 3, 2)),
    "contrastive-images": (contrastive, (6, 6, 3)),
}
#: Attacked by every attack; the other models by two, and by all in the slow tests.
FULLY_ATTACKED = ("subclassed-images", "norm-and-dropout")
#: One with a similarity, and one without.
TWO_ATTACKS = ("minmax-mine", "pgd-linf")


def small_mine(**settings):
    small = {
        "inner_steps": 2,
        "warmup_steps": 3,
        "num_projections": 6,
        "projection_dimension": 8,
        "jit_compile": False,
    }
    return MINE(**{**small, **settings})


def minmax(similarity, **fixed):
    def make(criterion, **settings):
        defaults = {"steps": 4, "initial_noise": 0.2, "step_size": 0.05}
        return MinMaxAttack(
            criterion, similarity(), **{**defaults, **fixed, **settings}
        )

    return make


def penalty(criterion, **settings):
    defaults = {"steps": 3, "search_steps": 3, "step_size": 0.05, "epsilon": 0.3}
    return PenaltyAttack(criterion, GaussianMI(), **{**defaults, **settings})


def pgd(norm, **fixed):
    def make(criterion, **settings):
        return PGDAttack(criterion, **{"steps": 4, "norm": norm, **fixed, **settings})

    return make


ATTACKS: dict[str, Callable[..., Attack]] = {
    "minmax-mine": minmax(small_mine, epsilon=0.25),
    "minmax-gaussian": minmax(GaussianMI),
    "minmax-l2": minmax(L2Similarity),
    "minmax-criterion-only": minmax(lambda: None),
    "penalty": penalty,
    # Short steps: long ones end in the same corner from wherever they start.
    "pgd-linf": pgd("linf", epsilon=0.15, step_size=0.02),
    "pgd-l2": pgd("l2", epsilon=0.5, step_size=0.05),
    "gaussian-noise": lambda criterion, **s: GaussianNoise(0.3, criterion, **s),
    "uniform-noise": lambda criterion, **s: UniformNoise(0.4, criterion, **s),
    "matched-noise": lambda criterion, **s: MatchedNoise(**s),
    "virtual-adversarial": lambda criterion, **s: VirtualAdversarialPerturbation(
        criterion, **{"epsilon": 0.5, **s}
    ),
}


class Classifier(keras.Model):
    """Takes what a model returns for the logits of one prediction per sample."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.flatten = layers.Flatten()
        self.built = True

    def call(self, x):
        # Values in [0, 1] as logits would hardly differ.
        return 20.0 * self.flatten(self.model(x))


def make_criterion(attack_name, model):
    if attack_name == "virtual-adversarial":
        return Divergence(Classifier(model), kappa=1e-4)
    if isinstance(model, SimCLR):
        return Contrastive(model, samples("contrastive-images", 5, seed=1), 2)
    return Reconstruction(model)


def build_model(name, seed=0):
    build, shape = MODELS[name]
    keras.utils.set_random_seed(seed)
    return build(shape)


def samples(name, count=SAMPLES, seed=0):
    """In [0, 1], with many entries on the bounds, as images have."""
    generator = np.random.default_rng(seed)
    x = generator.uniform(-0.3, 1.3, (count, *MODELS[name][1]))
    return x.clip(0.0, 1.0).astype(np.float32)


@dataclass
class Case:
    """One attack on one model, and its result on the case's own samples."""

    attack_name: str
    model_name: str
    model: keras.Model
    criterion: Criterion
    attack: Attack
    x: np.ndarray
    result: AttackResult | None = None

    @property
    def labels(self):
        """What matched noise takes in the place of labels: the wanted norms."""
        return np.linspace(0.1, 0.6, SAMPLES, dtype=np.float32)

    def run(self, x=None, attack=None, rows=slice(None), **settings):
        """The attack on ``rows`` of ``x``, with the ids that those rows have."""
        x = self.x if x is None else x
        y = self.labels[rows] if self.attack_name == "matched-noise" else None
        ids = np.arange(SAMPLES)[rows]
        settings = {"sample_ids": ids, "batch_size": BATCH_SIZE, **settings}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The attack succeeded on no")
            return (attack or self.attack)(x[rows], y, **settings)

    def criterion_on(self, model):
        """The case's criterion, on another model."""
        return make_criterion(self.attack_name, model)

    def again(self, criterion=None, **settings):
        """A new attack object of the same kind, with other settings."""
        return ATTACKS[self.attack_name](criterion or self.criterion, **settings)


def make_case(attack_name, model_name):
    model = build_model(model_name)
    criterion = make_criterion(attack_name, model)
    attack = ATTACKS[attack_name](criterion)
    case = Case(attack_name, model_name, model, criterion, attack, samples(model_name))
    case.result = case.run()
    return case


def pytest_generate_tests(metafunc):
    """`case`: every attack on every model. `one_case`: every attack on one model."""
    slow = pytest.mark.slow
    if "case" in metafunc.fixturenames:
        pairs = [
            pytest.param((a, m), id=f"{a}-on-{m}", marks=() if is_quick else slow)
            for m in MODELS
            for a in (TWO_ATTACKS if m.startswith("contrastive") else ATTACKS)
            for is_quick in [m in FULLY_ATTACKED or a in TWO_ATTACKS]
        ]
        metafunc.parametrize("case", pairs, indirect=True, scope="module")
    if "one_case" in metafunc.fixturenames:
        pairs = [(a, "sequential-images") for a in ATTACKS]
        metafunc.parametrize(
            "one_case", pairs, ids=list(ATTACKS), indirect=True, scope="module"
        )


@pytest.fixture(scope="module")
def case(request):
    return make_case(*request.param)


@pytest.fixture(scope="module")
def one_case(request):
    return make_case(*request.param)
