import keras
import numpy as np
import pytest
from keras import layers

from uae_tf import CLAE
from uae_tf.losses import NTXent
from uae_tf.models import SimCLRAugment

SHAPE = (8, 8, 3)


def encoder(**settings):
    inputs = keras.Input(SHAPE)
    conv = layers.Conv2D(4, 3, strides=2, use_bias=False, name="conv", **settings)
    maps = conv(inputs)
    maps = layers.ReLU()(layers.BatchNormalization(name="norm")(maps))
    return keras.Model(inputs, layers.Flatten()(maps), name="encoder")


def clae(regularizer=None, **settings):
    keras.utils.set_random_seed(0)
    augment = SimCLRAugment(strength=0.0, grey_probability=0.0, seed=0)
    projection = keras.Sequential([keras.Input((36,)), layers.Dense(8)])
    body = encoder(kernel_regularizer=regularizer)
    return CLAE(body, projection, augment=augment, **settings)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return rng.uniform(size=(8, *SHAPE)).astype("float32")


@pytest.fixture(scope="module")
def trained(images):
    """After one epoch of two updates, and the logs of that epoch."""
    model = clae()
    model.compile("sgd", jit_compile=False)
    return model, model.fit(images, batch_size=4, verbose=0).history


def test_the_third_view_is_one_step_away_and_harder_to_find(images):
    model = clae(epsilon=0.015)
    anchors = model.project(images, training=True)
    found = model.adversarial_views(images, anchors).numpy()
    moved = np.abs(found - images)
    # The convolution, of stride 2 and without padding, does not see the last pixels.
    np.testing.assert_allclose(moved[:, :7, :7], 0.015, atol=1e-6)
    np.testing.assert_array_equal(moved[:, 7], 0.0)
    loss = NTXent()
    before = loss(anchors, model.project(images, True, True))
    assert loss(anchors, model.project(found, True, True)) > before


def test_the_step_of_half_precision_is_that_of_full(images):
    steps = {}
    before = keras.config.dtype_policy()
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        try:
            # Gradients as small as those of a large batch.
            model = clae(temperature=1e5)
        finally:
            keras.config.set_dtype_policy(before)
        model.compile("sgd", jit_compile=False)
        anchors = model.project(images, training=True)
        moved = model.adversarial_views(images, anchors).numpy() - images
        steps[policy] = np.sign(moved[:, :7, :7].round(4))
    assert np.mean(steps["mixed_float16"] == steps["float32"]) > 0.99


def test_a_scale_that_overflows_spoils_no_view(images):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = clae()
    finally:
        keras.config.set_dtype_policy(before)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(), 2.0**60)
    model.compile(optimizer, jit_compile=False)
    logs = model.fit(images, batch_size=4, verbose=0).history
    assert np.isfinite(logs["loss"][0])
    assert all(np.all(np.isfinite(weight)) for weight in model.get_weights())
    assert float(optimizer.dynamic_scale) == 2.0**58


@pytest.mark.parametrize("factor", [0.0, 0.1])
def test_the_loss_has_both_terms_and_regularizers(images, factor):
    model = clae(alpha=0.5, regularizer=keras.regularizers.L1(factor))
    projections = model(images, training=True)
    first, second, adversarial = keras.ops.split(projections, 3, axis=0)
    loss = NTXent()
    expected = loss(first, second) + 0.5 * loss(first, adversarial)
    expected += factor * np.sum(np.abs(model.encoder.get_layer("conv").kernel))
    assert float(model.compute_loss(images, y_pred=projections)) == pytest.approx(
        float(expected), rel=1e-5
    )
    assert float(loss(first, adversarial)) != pytest.approx(float(loss(first, second)))


def test_branches_share_all_but_their_normalisation(trained):
    model, history = trained
    twin = model.adversarial_encoder
    assert twin.get_layer("conv") is model.encoder.get_layer("conv")
    clean, other = model.encoder.get_layer("norm"), twin.layers[2]
    assert isinstance(other, layers.BatchNormalization)
    for layer in (clean, other):
        assert np.any(layer.moving_mean.numpy() != 0.0)
        assert np.any(layer.gamma.numpy() != 1.0)
    assert np.any(clean.gamma.numpy() != other.gamma.numpy())
    assert history["loss"][0] > history["contrastive_accuracy"][0] >= 0.0


def test_afterwards_only_the_clean_branch_counts(trained, images):
    model, _ = trained
    before = model.embed(images).numpy()
    kept = model.adversarial_encoder.layers[2].get_weights()
    model.adversarial_encoder.layers[2].set_weights([w + 1.0 for w in kept])
    np.testing.assert_array_equal(model.embed(images), before)
    np.testing.assert_array_equal(
        model(images), model.projection(model.encoder(images))
    )
    model.adversarial_encoder.layers[2].set_weights(kept)
    assert np.isfinite(model.evaluate(images, verbose=0)[0])


def test_pairs_are_measured_in_the_branch_they_are_trained_in(images):
    pair = images[:4], images[4:]
    model = clae()
    model.compile("sgd", jit_compile=False)
    logs = model.fit(pair, batch_size=4, validation_data=(pair,), verbose=0).history
    assert np.isfinite(logs["val_loss"][0])
    # Without a part in it: the branch of the adversarial views.
    for variable in model.adversarial_encoder.get_layer(index=2).variables:
        variable.assign(np.nan * variable)
    assert np.isfinite(model.evaluate(pair, batch_size=4, verbose=0)[0])
    np.testing.assert_allclose(model(pair), model(images), atol=1e-6)


def test_a_saved_model_is_the_same(trained, images, tmp_path):
    model, _ = trained
    model.save(tmp_path / "clae.keras")
    again = keras.saving.load_model(tmp_path / "clae.keras")
    assert (again.epsilon, again.alpha) == (model.epsilon, model.alpha)
    np.testing.assert_allclose(again(images), model(images), atol=1e-6)
    for old, new in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_settings_survive_their_config():
    again = CLAE.from_config(clae(epsilon=0.1, alpha=0.3, temperature=0.2).get_config())
    assert (again.epsilon, again.alpha, again.temperature) == (0.1, 0.3, 0.2)


def test_what_cannot_be_shared_is_refused():
    class Subclassed(keras.Model):
        output_shape = (None, 4)

        def call(self, x):
            return x[:, 0, 0]

    model = Subclassed()
    model(np.ones((1, 8, 8, 4), "float32"))
    with pytest.raises(ValueError, match=r"of its own.*functional API.*Subclassed"):
        CLAE(model, keras.Sequential([keras.Input((4,)), layers.Dense(2)]))
    with pytest.raises(ValueError, match=r"`epsilon` and `alpha`.*epsilon=-1"):
        clae(epsilon=-1)
