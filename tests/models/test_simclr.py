import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf.losses import NTXent
from uae_tf.models import ResNet18, SimCLR, SimCLRAugment, projection_head

IMAGES = np.random.default_rng(0).random((12, 8, 8, 3)).astype("float32")


def small_encoder(**settings):
    """Quick to trace, and with batch normalisation as a ResNet has it."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False, **settings)(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x), name="small")


def small_simclr(is_eager=True, **settings):
    keras.utils.set_random_seed(0)
    model = SimCLR(small_encoder(), **{"seed": 0, **settings})
    # Eager, unless a test is about the graph: a trace takes longer than the steps.
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=is_eager)
    return model


def test_fit_lowers_the_loss_and_evaluate_measures_it_on_new_views():
    model = small_simclr(is_eager=False)
    history = model.fit(IMAGES, batch_size=6, epochs=12, verbose=0).history
    assert set(history) == {"loss", "contrastive_accuracy"}
    assert np.mean(history["loss"][-3:]) < np.mean(history["loss"][:3])
    before = model.get_weights()
    result = model.evaluate(IMAGES, batch_size=12, verbose=0, return_dict=True)
    assert 0 < result["loss"] < np.log(23) + 2
    assert 0 <= result["contrastive_accuracy"] <= 1
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_step_minimises_nt_xent_of_two_views_in_one_batch():
    model = small_simclr(temperature=0.2)
    twin = SimCLRAugment(seed=0)
    views = [twin(IMAGES, training=True) for _ in range(2)]
    z = model.project(tf.concat(views, 0), training=True)
    expected = NTXent(0.2)(z[:12], z[12:])
    got = model.train_on_batch(IMAGES, return_dict=True)
    assert float(got["loss"]) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("separate_batch_norm", [False, True])
def test_regularizers_add_to_the_loss_in_training_once(separate_batch_norm):
    penalty = keras.regularizers.L2(0.1)
    model = SimCLR(
        small_encoder(kernel_regularizer=penalty),
        separate_batch_norm=separate_batch_norm,
    )
    z = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")
    contrast = float(NTXent(0.5)(z[:4], z[4:]))
    added = 0.1 * np.sum(np.square(model.encoder.layers[1].kernel.numpy()))
    loss = model.compute_loss(IMAGES[:4], y_pred=tf.constant(z))
    assert float(loss) == pytest.approx(contrast + added, rel=1e-6)
    model._project_views = lambda x, training: tf.constant(z)
    loss = model.compute_loss(IMAGES[:4], training=False)
    assert float(loss) == pytest.approx(contrast, rel=1e-6)


def test_projections_and_features_are_of_the_images_as_they_are():
    model = small_simclr()
    features = model.embed(IMAGES)
    assert features.shape == (12, 8)
    np.testing.assert_array_equal(features, model.encoder(IMAGES, training=False))
    np.testing.assert_array_equal(model(IMAGES), model.projection(features))
    np.testing.assert_array_equal(model(IMAGES), model(IMAGES))
    assert model(IMAGES, training=True).shape == (24, 2)
    assert model.predict(IMAGES, verbose=0).shape == (12, 2)


def test_a_pair_is_projected_one_batch_after_the_other_and_may_be_evaluated():
    model, others = small_simclr(separate_batch_norm=True), 1 - IMAGES
    # Apart from the others: what an adversarial pass would have moved.
    model.adversarial_encoder.layers[2].beta.assign_add(np.ones(8))
    expected = np.concatenate(
        [model.project(IMAGES), model.project(others, adversarial=True)]
    )
    np.testing.assert_array_equal(model((IMAGES, others)), expected)
    pair = (IMAGES, others)
    model.fit(pair, batch_size=6, validation_data=(pair,), verbose=0)
    assert np.isfinite(model.evaluate(pair, batch_size=6, verbose=0)).all()


def test_the_accuracy_counts_anchors_whose_positive_is_closest():
    model = small_simclr()
    a, b = np.eye(4, dtype="float32"), np.eye(4, dtype="float32")
    b[[0, 1]] = b[[1, 0]]
    model.compute_loss(IMAGES, y_pred=tf.concat([a, b], 0))
    assert float(model.accuracy.result()) == 0.5


def test_pairs_give_the_first_view_from_the_first_and_the_second_from_the_second():
    seen = []

    class Recording(keras.layers.Layer):
        def call(self, images, training=False):
            seen.append(images)
            return images

    model = SimCLR(small_encoder(), augment=Recording())
    others = 1 - IMAGES
    z = model((IMAGES, others), training=True)
    np.testing.assert_array_equal(seen[0], IMAGES)
    np.testing.assert_array_equal(seen[1], others)
    assert z.shape == (24, 2)


def test_separate_batch_norm_keeps_adversarial_statistics_apart(tmp_path):
    model = small_simclr(separate_batch_norm=True)
    # Two scales of brightness: their statistics cannot be mistaken.
    model.fit((IMAGES * 0.1, IMAGES), batch_size=6, epochs=2, verbose=0)
    clean, adversarial = model.encoder.layers[2], model.adversarial_encoder.layers[2]
    assert adversarial.name == f"{clean.name}_adversarial"
    assert model.adversarial_encoder.layers[1] is model.encoder.layers[1]
    ratio = adversarial.moving_variance.numpy() / clean.moving_variance.numpy()
    # Both start at 1, and forget it at a rate of 0.99 a step.
    assert ratio.max() > 1
    assert np.abs(adversarial.moving_mean / clean.moving_mean).mean() > 3

    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for is_adversarial in (False, True):
        np.testing.assert_array_equal(
            again.project(IMAGES, adversarial=is_adversarial),
            model.project(IMAGES, adversarial=is_adversarial),
        )
    assert len(again.trainable_variables) == len(model.trainable_variables)


@pytest.mark.parametrize("is_nested", [False, True])
def test_separate_batch_norm_reaches_models_within_the_encoder(is_nested):
    encoder = small_encoder()
    if is_nested:
        encoder = keras.Sequential(
            [keras.Input((8, 8, 3)), keras.layers.Rescaling(2.0, -1.0), encoder]
        )
    model = SimCLR(encoder, separate_batch_norm=True)
    shared = {id(v) for v in model.encoder.variables}
    own = [v for v in model.adversarial_encoder.variables if id(v) not in shared]
    assert len(own) == 4
    np.testing.assert_array_equal(
        model.project(IMAGES, adversarial=True), model.project(IMAGES)
    )
    before = [v.numpy() for v in model.encoder.variables]
    model.project(IMAGES, training=True, adversarial=True)
    for old, variable in zip(before, model.encoder.variables, strict=True):
        np.testing.assert_array_equal(variable, old)


def test_without_a_pair_nothing_is_adversarial():
    model = small_simclr(separate_batch_norm=True)
    model(IMAGES, training=True)
    clean, adversarial = model.encoder.layers[2], model.adversarial_encoder.layers[2]
    assert np.all(clean.moving_mean.numpy() != 0.0)
    np.testing.assert_array_equal(adversarial.moving_mean, np.zeros(8))


class Block(keras.layers.Layer):
    """A user's layer with batch normalisation within it."""

    def __init__(self):
        super().__init__()
        self.norm = keras.layers.BatchNormalization()

    def call(self, x, training=False):
        return self.norm(x, training=training)


@pytest.mark.parametrize(
    "make",
    [Block, lambda: keras.layers.TimeDistributed(keras.layers.BatchNormalization())],
)
def test_separate_batch_norm_refuses_what_it_cannot_take_apart(make):
    layer = make()
    inputs = keras.Input((8, 8, 3))
    maps = keras.layers.GlobalAveragePooling2D()(layer(inputs))
    encoder = keras.Model(inputs, keras.layers.Dense(4)(maps))
    with pytest.raises(ValueError, match=f"hold batch normalis.*{layer.name}"):
        SimCLR(encoder, separate_batch_norm=True)
    SimCLR(encoder)


def test_survives_a_file_and_goes_on_with_the_views_it_would_have_drawn(tmp_path):
    model = small_simclr(temperature=0.2)
    model.fit(IMAGES, batch_size=6, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.temperature == 0.2
    np.testing.assert_array_equal(again.embed(IMAGES), model.embed(IMAGES))
    np.testing.assert_array_equal(
        again.augment(IMAGES, training=True), model.augment(IMAGES, training=True)
    )
    losses = [m.train_on_batch(IMAGES)[0] for m in (model, again)]
    assert losses[0] == losses[1]


def test_a_resnet_trains_in_mixed_precision_on_views_in_full_precision():
    encoder = ResNet18(width=2, input_shape=(8, 8, 3), dtype="mixed_bfloat16")
    model = SimCLR(encoder, seed=0)
    model.compile("sgd", run_eagerly=True)
    assert np.isfinite(model.train_on_batch(IMAGES[:4])[0])
    assert model.embed(IMAGES).dtype == "float32"
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    # Two numbers that are one in bfloat16.
    fine = np.full((2, 8, 8, 3), 0.5, "float32") + np.float32([0, 2**-12, 0])
    seen = []
    model.augment = keras.layers.Lambda(lambda x: seen.append(x) or x)
    model(fine, training=True)
    np.testing.assert_array_equal(seen[0], fine)


def test_a_second_fit_keeps_a_loss_scaling_optimizer():
    model = small_simclr()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01))
    model.compile(optimizer)
    model.fit(IMAGES, verbose=0)
    kept = [id(variable) for variable in optimizer.variables]
    model.fit(IMAGES, verbose=0)
    assert [id(variable) for variable in optimizer.variables] == kept
    assert int(optimizer.iterations) == 2


def test_double_precision():
    views = SimCLRAugment(seed=0)(IMAGES, training=True)
    keras.config.set_floatx("float64")
    try:
        model = small_simclr()
        again = model.augment(IMAGES.astype("float64"), training=True)
        loss = model.train_on_batch(IMAGES)[0]
    finally:
        keras.config.set_floatx("float32")
    np.testing.assert_array_equal(again, views)
    assert np.isfinite(loss)


def test_the_projection_scales_with_the_encoder():
    head = projection_head(512)
    units = [layer.units for layer in head.layers if hasattr(layer, "units")]
    assert units == [512, 512, 128]
    assert not any(
        layer.use_bias for layer in head.layers if isinstance(layer, keras.layers.Dense)
    )
    assert sum(isinstance(layer, keras.layers.ReLU) for layer in head.layers) == 2
    assert [norm.center for norm in head.layers if hasattr(norm, "center")] == [
        True,
        True,
        False,
    ]
    with pytest.raises(ValueError, match="4 features or more"):
        projection_head(3)


@pytest.mark.parametrize(
    ("images", "batch_size", "message"),
    [
        (255 * IMAGES, 6, r"lie in \[0, 1\].*Divide bytes by 255"),
        (IMAGES * np.nan, 6, "must be finite"),
        (IMAGES[..., :1], 6, r"\(N, 8, 8, 3\). Received shape \(12, 8, 8, 1\)"),
        (IMAGES, 1, "batches of 2 images or more"),
        (IMAGES[:7], 6, "the last one holds 1"),
        (IMAGES[:1], 6, "the last one holds 1"),
    ],
)
def test_bad_images_are_refused_before_training(images, batch_size, message):
    with pytest.raises(ValueError, match=message):
        small_simclr().fit(images, batch_size=batch_size, verbose=0)


def test_batches_of_one_are_refused_wherever_arrays_are_given():
    model = small_simclr()
    with pytest.raises(ValueError, match="the last one holds 1"):
        model.evaluate(IMAGES[:7], batch_size=6, verbose=0)
    options = {"batch_size": 5, "verbose": 0}
    # 11 images to train on, 1 held out; then 8 and 4, of which 12 % 11 said nothing.
    with pytest.raises(ValueError, match="Received 11 images in batches of 5"):
        model.fit(IMAGES, validation_split=0.05, **options)
    with pytest.raises(ValueError, match="Received 1 images"):
        model.fit(IMAGES, validation_data=(IMAGES[:1],), **options)
    before = model.get_weights()
    options["batch_size"] = 11
    model.fit(IMAGES, validation_split=0.3, **options)
    assert any(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))


def test_models_that_do_not_fit_each_other_are_refused():
    with pytest.raises(ValueError, match="projection expects features of 512"):
        SimCLR(small_encoder(), projection_head(512))
    unbuilt = keras.Sequential([keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="encoder must be a built Keras model"):
        SimCLR(unbuilt)
    maps = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])
    with pytest.raises(ValueError, match=r"returns \(batch, units\)"):
        SimCLR(maps)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        SimCLR(small_encoder(), temperature=0.0)
