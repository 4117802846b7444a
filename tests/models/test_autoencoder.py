"""What every autoencoder does, whatever its layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf import models

SMALL = {
    "dense": {"latent_dim": 16},
    "sparse": {"latent_dim": 16},
    "conv": {},
    "adversarial": {"latent_dim": 4, "hidden_units": 32},
}
KINDS = list(SMALL)


def build(kind, input_shape=(8, 8, 1), recipe="paper", seed=0):
    keras.utils.set_random_seed(seed)
    return models.build(kind, input_shape, recipe=recipe, **SMALL[kind])


@pytest.fixture(params=KINDS)
def model(request):
    return build(request.param)


@pytest.fixture
def x(digits):
    return digits.x_train[:32]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (16, 8, 2), (32, 32, 3)])
def test_images_stay_images(kind, shape):
    model = build(kind, shape)
    x = np.random.default_rng(0).random((3, *shape), dtype=np.float32)
    outputs = model(x, training=False).numpy()
    assert outputs.shape == x.shape
    assert outputs.min() >= 0.0
    assert outputs.max() <= 1.0
    code = model.encoder(x)
    np.testing.assert_allclose(model.decoder(code), outputs, atol=1e-6)


@pytest.mark.parametrize("kind", ["dense", "sparse", "adversarial"])
@pytest.mark.parametrize("shape", [(21,), 21])
def test_vectors_stay_vectors(kind, shape):
    assert build(kind, shape)(np.zeros((2, 21), "float32")).shape == (2, 21)


def test_layers_are_reachable_in_order(model):
    assert isinstance(model.layers[0], keras.layers.InputLayer)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert model.get_layer(model.layers[1].name) is model.layers[1]


def test_inference_is_deterministic(model, x):
    first, second = model(x, training=False), model(x, training=False)
    np.testing.assert_array_equal(first, second)


def test_gradient_reaches_the_input(model, x):
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(tf.square(inputs - model(inputs, training=False)))
    gradient = tape.gradient(loss, inputs).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_config_round_trip(model):
    config = model.get_config()
    again = type(model).from_config(config)
    assert again.get_config() == config
    assert again.count_params() == model.count_params()


def test_keras_file_round_trip(model, x, tmp_path):
    model.fit(x, batch_size=16, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(loaded(x), model(x))
    # The optimizer's state comes along: both go on from the same point.
    histories = [m.fit(x, batch_size=32, verbose=0).history for m in (model, loaded)]
    assert histories[0]["loss"] == pytest.approx(histories[1]["loss"], rel=1e-5)


def test_export_runs_without_keras(model, x, tmp_path):
    model.export(tmp_path / "saved", verbose=False)
    artifact = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(artifact.serve(x), model(x), atol=1e-5)


@pytest.mark.parametrize("recipe", ["paper", "modern"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_the_loss(kind, recipe, digits):
    model = build(kind, recipe=recipe)
    x = digits.x_train[:320]
    before = model.evaluate(x, verbose=0, return_dict=True)
    model.fit(x, batch_size=32, epochs=2, verbose=0)
    after = model.evaluate(x, verbose=0, return_dict=True)
    assert after["loss"] < before["loss"]
    assert after["mse"] < before["mse"]


@pytest.mark.parametrize("kind", KINDS)
def test_training_repeats_under_a_seed(kind, x):
    def train(seed):
        model = build(kind, seed=seed)
        model.fit(x, batch_size=8, verbose=0)
        return model.get_weights()

    assert all(map(np.array_equal, train(3), train(3)))
    three, four = (build(kind, seed=seed).get_weights() for seed in (3, 4))
    assert not all(map(np.array_equal, three, four))


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
@pytest.mark.parametrize("kind", ["sparse", "adversarial"])
def test_trains_in_other_precisions(kind, policy, x):
    keras.config.set_dtype_policy(policy)
    try:
        model = build(kind)
        history = model.fit(x, batch_size=32, verbose=0).history
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history["loss"]).all()


# The adversarial one has a training step of its own.
@pytest.mark.parametrize("kind", ["dense", "adversarial"])
def test_no_target_means_the_sample_itself(kind, x):
    implicit, explicit = build(kind), build(kind)
    histories = [
        implicit.fit(x, batch_size=16, shuffle=False, verbose=0).history,
        explicit.fit(x, x, batch_size=16, shuffle=False, verbose=0).history,
    ]
    assert histories[0] == histories[1]


@pytest.mark.parametrize("kind", ["dense", "adversarial"])
def test_weights_need_no_target(kind, x):
    weights = np.linspace(0.0, 1.0, len(x))
    results = []
    for target in (None, x):
        model = build(kind)
        found = [model.evaluate(x, target, sample_weight=weights, verbose=0)]
        settings = {"batch_size": 16, "shuffle": False, "verbose": 0}
        history = model.fit(x, target, sample_weight=weights, **settings).history
        results.append([*found, history])
    assert results[0] == results[1]
    nothing = model.evaluate(x, sample_weight=0 * weights, verbose=0, return_dict=True)
    assert nothing["loss"] == 0.0


def _per_sample(y, outputs):
    return keras.ops.mean(keras.ops.square(y - outputs), axis=(1, 2, 3))


# Eight samples of eight columns: Keras would hold a weight against each column.
@pytest.mark.parametrize("loss", ["mse", keras.losses.MeanSquaredError(), _per_sample])
@pytest.mark.parametrize("kind", ["dense", "adversarial"])
def test_images_are_weighted_as_samples(kind, loss, x):
    x, weights = x[:8], np.arange(8.0)
    model = build(kind)
    model.compile("sgd", loss, jit_compile=False)
    errors = np.mean((model.predict(x, verbose=0) - x) ** 2, axis=(1, 2, 3))
    expected = pytest.approx(np.mean(errors * weights), rel=1e-4)
    options = {"sample_weight": weights, "verbose": 0, "return_dict": True}
    assert model.evaluate(x, **options)["loss"] == expected
    # Batches of another size than the images, the last of them smaller.
    assert model.evaluate(x, batch_size=3, **options)["loss"] == expected
    before = model.decoder.get_weights()
    model.fit(x, sample_weight=np.zeros(8), verbose=0)
    for old, new in zip(before, model.decoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_is_used(kind, x):
    model = build(kind)
    to_itself = model.evaluate(x, x, verbose=0, return_dict=True)["mse"]
    to_white = model.evaluate(x, np.ones_like(x), verbose=0, return_dict=True)["mse"]
    outputs = model.predict(x, verbose=0)
    assert to_itself == pytest.approx(np.mean((outputs - x) ** 2), rel=1e-4)
    in_a_list = model.evaluate(x, [np.ones_like(x)], verbose=0, return_dict=True)
    assert in_a_list["mse"] == to_white
    assert to_white == pytest.approx(np.mean((outputs - 1) ** 2), rel=1e-4)


@pytest.mark.parametrize("kind", ["dense", "adversarial"])
@pytest.mark.parametrize("is_column", [False, True])
@pytest.mark.parametrize("shape", [(8, 8, 1), (64,)])
def test_class_labels_are_no_target(kind, is_column, shape, digits):
    # As many as a vector is long: Keras would hold each against a feature.
    x, labels = digits.x_train[:64].reshape(64, *shape), digits.y_train[:64]
    labels = labels[:, None] if is_column else labels
    model = build(kind, shape)
    message = rf"`y` must be samples.*\(batch, {shape[0]}.*Received shape .*Leave out"
    with pytest.raises(ValueError, match=message):
        model.fit(x, labels, batch_size=64, verbose=0)
    with pytest.raises(ValueError, match=r"`y` must be samples.*dataset\.map"):
        model.evaluate(tf.data.Dataset.from_tensors((x, labels)), verbose=0)


def test_a_target_may_lack_an_axis_of_one(x):
    losses = [build("dense").evaluate(x, y, verbose=0)[0] for y in (x, x[..., 0])]
    assert losses[0] == pytest.approx(losses[1])


def test_a_model_clones(model, x):
    clone = type(model).from_config(model.get_config())
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x), model(x))


BAD_SHAPES = [(), (0, 8), (8, -8, 1), (None, 8, 1), (8.0, 8, 1), "28", None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", BAD_SHAPES)
def test_refuses_a_bad_input_shape(kind, shape):
    with pytest.raises(ValueError, match="input_shape must be the shape of one sample"):
        build(kind, shape)


@pytest.mark.parametrize("kind", ["dense", "sparse", "adversarial"])
@pytest.mark.parametrize("latent_dim", [0, -3, 2.5, None, "8"])
def test_refuses_a_bad_latent_dim(kind, latent_dim):
    message = f"positive integer.* Received: latent_dim={latent_dim!r}"
    with pytest.raises(ValueError, match=message):
        models.build(kind, (8, 8, 1), latent_dim=latent_dim)
