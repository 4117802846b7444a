import keras
import numpy as np
import pytest

from uae_tf import models
from uae_tf.models.scopes import default_dtype

GREY, COLOUR = (28, 28, 1), (32, 32, 3)


def settings(kind, name="paper", shape=GREY):
    found = models.recipe(kind, name, shape)
    return found, found.optimizer()


def test_dense_paper():
    found, optimizer = settings("dense")
    assert isinstance(optimizer, keras.optimizers.RMSprop)
    assert float(optimizer.learning_rate) == pytest.approx(0.0025)
    # sqrt(v + 1e-14) is the old Keras's sqrt(v) + 1e-7.
    assert optimizer.epsilon == 1e-14
    assert (found.loss, found.epochs, found.batch_size) == ("mse", 20, 100)
    assert found.paper_mse == 0.00258


def test_sparse_paper():
    found, optimizer = settings("sparse")
    assert isinstance(optimizer, keras.optimizers.Adam)
    assert float(optimizer.learning_rate) == pytest.approx(0.001)
    assert (found.loss, found.epochs, found.batch_size) == ("mse", 50, 100)
    assert found.paper_mse == 0.00561


def test_conv_paper():
    found, optimizer = settings("conv")
    assert isinstance(optimizer, keras.optimizers.Adadelta)
    assert float(optimizer.learning_rate) == 1.0
    assert found.loss == "binary_crossentropy"
    assert (found.epochs, found.batch_size) == (20, 100)
    assert found.paper_mse == 0.00294


def test_adversarial_paper():
    found, optimizer = settings("adversarial")
    assert isinstance(optimizer, keras.optimizers.Adam)
    assert float(optimizer.learning_rate) == pytest.approx(1e-4)
    assert (found.loss, found.epochs, found.batch_size) == ("mse", 50, 100)
    assert found.paper_mse == 0.04785
    model = models.build("adversarial", (8, 8, 1))
    assert model.latent_dim == 2
    assert model.code_activation == "sigmoid"
    modern = models.build("adversarial", (8, 8, 1), recipe="modern")
    assert modern.code_activation == "linear"


def test_svhn_settings_follow_the_channels():
    assert models.build("dense", COLOUR).latent_dim == 256
    assert models.build("sparse", COLOUR).kl_weight == 1.0
    conv, optimizer = settings("conv", shape=COLOUR)
    assert (conv.batch_size, conv.paper_mse) == (32, 0.00128)
    assert isinstance(optimizer, keras.optimizers.Adam)
    assert models.build("conv", COLOUR).form == "svhn"


@pytest.mark.parametrize("shape", [GREY, COLOUR, (617,)])
@pytest.mark.parametrize("name", ["paper", "modern"])
@pytest.mark.parametrize("kind", ["dense", "sparse", "conv", "adversarial"])
def test_every_recipe_makes_a_new_optimizer(kind, name, shape):
    found = models.recipe(kind, name, shape)
    assert (found.model, found.name) == (kind, name)
    assert found.optimizer() is not found.optimizer()
    assert (found.paper_mse is None) == (name == "modern")


def test_build_compiles_and_keeps_the_recipe():
    model = models.build("dense", (8, 8, 1), recipe="modern", latent_dim=5)
    assert model.compiled
    assert model.latent_dim == 5
    assert model.recipe is models.recipe(model, "modern")


@pytest.mark.parametrize("kind", ["dense", "sparse", "conv", "adversarial"])
def test_the_first_step_is_traced_once(kind):
    """Twice, where the first call has to make the optimizer's variables."""
    model, traces = models.build(kind, (8, 8, 1), recipe="modern"), []
    step = model.train_step
    model.train_step = lambda data: (traces.append(1), step(data))[1]
    model.fit(np.zeros((4, 8, 8, 1), "float32"), batch_size=2, verbose=0)
    assert len(traces) == 1


@pytest.mark.parametrize("kind", ["dense", "adversarial"])
def test_a_loss_scaling_optimizer_is_made_once(kind, tmp_path):
    """Twice, it would not be restored: Keras warns, here an error."""
    with default_dtype("mixed_float16"):
        model = models.build(kind, (8, 8, 1), latent_dim=2)
        model.fit(np.ones((4, 8, 8, 1), "float32"), batch_size=2, verbose=0)
        model.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras")
    paths = [variable.path for variable in model.optimizer.variables]
    assert paths.count("loss_scale_optimizer/dynamic_scale") == 1
    for old, new in zip(
        model.optimizer.variables, again.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(new, old)


def test_a_model_is_named_in_four_ways():
    cls = models.SparseAutoencoder
    ways = ["sparse", "SparseAutoencoder", cls, cls((8, 8, 1))]
    assert {id(models.recipe(way)) for way in ways} == {id(models.recipe("sparse"))}


def test_a_models_own_shape_picks_its_recipe():
    assert models.recipe(models.ConvolutionalAutoencoder(COLOUR)).batch_size == 32


def test_unknown_names_list_the_known():
    with pytest.raises(ValueError, match=r"'vae'.*'dense', 'sparse', 'conv'"):
        models.build("vae", GREY)
    with pytest.raises(ValueError, match="'paper' or 'modern'"):
        models.build("dense", GREY, recipe="best")
