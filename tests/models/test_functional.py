"""What a file gives back of every model of ours: frozen layers and dtypes."""

import keras
import numpy as np
import pytest

from uae_tf import models
from uae_tf.models.scopes import default_dtype

MAKE = {
    "dense": lambda **kw: models.DenseAutoencoder((6,), 4, **kw),
    "sparse": lambda **kw: models.SparseAutoencoder((6,), 4, **kw),
    "conv": lambda **kw: models.ConvolutionalAutoencoder((8, 8, 3), **kw),
    "adversarial": lambda **kw: models.AdversarialAutoencoder(
        (6,), 2, hidden_units=4, **kw
    ),
    "dense_classifier": lambda **kw: models.DenseClassifier((6,), 3, (4,), **kw),
    "convolutional_classifier": lambda **kw: models.ConvolutionalClassifier(
        (12, 12, 1), 3, width=2, **kw
    ),
    "carlini_wagner": lambda **kw: models.CarliniWagnerClassifier(
        (4, 4, 1), 3, (2, 2), 4, padding="same", **kw
    ),
    "resnet": lambda **kw: models.ResNet18(width=2, input_shape=(8, 8, 3), **kw),
}


@pytest.fixture(params=MAKE)
def make(request):
    return MAKE[request.param]


@pytest.fixture
def reload(tmp_path):
    def reload(model):
        model.save(tmp_path / "model.keras")
        return keras.saving.load_model(tmp_path / "model.keras")

    return reload


def flags(model):
    return [part.trainable for part in model._flatten_layers()]


def dtypes(model):
    return [part.compute_dtype for part in model._flatten_layers()]


def freeze_all(model):
    model.trainable = False


def freeze_all_but_one(model):
    model.trainable = False
    model.layers[2].trainable = True


def freeze_the_first(model):
    for layer in model.layers[:3]:
        layer.trainable = False


def freeze_parts(model):
    for part in ("encoder", "discriminator"):
        if hasattr(model, part):
            getattr(model, part).trainable = False


@pytest.mark.parametrize(
    "freeze", [freeze_all, freeze_all_but_one, freeze_the_first, freeze_parts]
)
def test_frozen_layers_stay_frozen(make, freeze, reload):
    model = make()
    freeze(model)
    for again in (reload(model), type(model).from_config(model.get_config())):
        assert flags(again) == flags(model)
        assert len(again.trainable_variables) == len(model.trainable_variables)


def test_nothing_of_a_frozen_model_moves(make, reload):
    model = make()
    model.trainable = False
    again = reload(model)
    before = again.get_weights()
    x = np.random.default_rng(0).random((4, *model.sample_shape), dtype="float32")
    again(x, training=True)
    for old, new in zip(before, again.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_the_constructor_freezes_every_layer(make):
    assert not any(
        part.trainable
        for part in make(trainable=False)._flatten_layers()
        if part.weights
    )


def test_frozen_parts_of_a_contrastive_model_stay_frozen(reload):
    encoder = MAKE["resnet"]()
    freeze_the_first(encoder)
    assert flags(reload(models.SimCLR(encoder)).encoder) == flags(encoder)


def concrete():
    """Not functional, but its constructor too makes the layers anew."""
    return models.ConcreteAutoencoder(2, input_shape=(6,), seed=0)


@pytest.mark.parametrize(
    "freeze",
    [
        freeze_all,
        lambda model: setattr(model.select, "trainable", False),
        lambda model: setattr(model.decoder.layers[0], "trainable", False),
    ],
)
def test_frozen_layers_of_a_concrete_autoencoder_stay_frozen(freeze, reload):
    model = concrete()
    freeze(model)
    again = reload(model)
    assert flags(again) == flags(model)
    assert len(again.trainable_variables) == len(model.trainable_variables)


def test_a_concrete_autoencoder_keeps_its_dtype(reload):
    with default_dtype("mixed_bfloat16"):
        model = concrete()
    again = reload(model)
    assert dtypes(again) == dtypes(model) != dtypes(concrete())
    x = np.random.default_rng(0).random((4, 6), dtype="float32")
    np.testing.assert_array_equal(again(x), model(x))
    config = model.get_config()
    del config["dtype"], config["frozen_layers"]
    assert dtypes(type(model).from_config(config)) == dtypes(concrete())


@pytest.mark.parametrize("make", [MAKE["dense"], concrete])
def test_the_optimizer_of_a_half_frozen_model_is_restored(make, reload):
    model = make()
    getattr(model, "encoder", getattr(model, "select", None)).trainable = False
    model.compile("adam", "mse", jit_compile=False)
    model.fit(np.ones((4, 6), "float32"), verbose=0)
    # Keras warns, here an error, where the variables are others.
    again = reload(model)
    for old, new in zip(
        model.optimizer.variables, again.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(new, old)


def test_layers_keep_their_dtype_under_another_policy(make, reload):
    single = make()
    with default_dtype("mixed_bfloat16"):
        assert dtypes(reload(single)) == dtypes(single)
        mixed = make()
    again = reload(mixed)
    assert dtypes(again) == dtypes(mixed) != dtypes(single)
    assert keras.config.dtype_policy().name == "float32"


def test_another_dtype_than_the_global_one_is_refused():
    assert MAKE["dense"](dtype="float32").compute_dtype == "float32"
    with pytest.raises(ValueError, match=r"global.*dtype='mixed_bf.*set_dtype_policy"):
        MAKE["dense"](dtype="mixed_bfloat16")


def test_older_configs_load(make):
    model = make()
    config = model.get_config()
    del config["frozen_layers"]
    if not isinstance(model, models.ResNet18):
        del config["dtype"]
    assert flags(type(model).from_config(config)) == flags(model)
    frozen = type(model).from_config({**config, "trainable": False})
    assert not frozen.trainable_variables


@keras.saving.register_keras_serializable("test_functional")
class Narrow(models.DenseAutoencoder):
    """A user's model, whose constructor knows none of the shared arguments."""

    def __init__(self, width, name=None, trainable=True):
        super().__init__((6,), width, name=name, trainable=trainable)
        self.width = width
        self.extra = keras.layers.Dense(2)

    def get_config(self):
        config = super().get_config()
        del config["input_shape"], config["latent_dim"]
        return {**config, "width": self.width}


@keras.saving.register_keras_serializable("test_functional")
class Bare(Narrow):
    """A user's model that saves its own argument alone."""

    def get_config(self):
        return {"width": self.width}


def test_subclasses_with_a_config_of_their_own_load(reload):
    model = Narrow(3)
    model.extra.build((None, 6))
    model.encoder.trainable = model.extra.trainable = False
    assert flags(Narrow.from_config(model.get_config())) == flags(model)
    assert flags(Bare.from_config(Bare(3).get_config())) == flags(Bare(3))
