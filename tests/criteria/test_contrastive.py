import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import uae_tf
from uae_tf import Contrastive, MinMaxAttack
from uae_tf.models import ResNet18, SimCLR, SimCLRAugment

SHAPE = (8, 8, 3)


def simclr(augment=None, dtype=None, **settings):
    """Smooth, so that differences of finite steps mean something."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    stem = layers.Conv2D(6, 3, activation="tanh", name="stem_conv", dtype=dtype)
    flat = layers.Flatten()(stem(inputs))
    encoder = keras.Model(inputs, layers.Dense(8, dtype=dtype)(flat))
    projection = keras.Sequential([keras.Input((8,)), layers.Dense(6)])
    augment = augment or SimCLRAugment(seed=0)
    return SimCLR(encoder, projection, augment=augment, **settings)


def images(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.1, 0.9, (count, *SHAPE)).astype("float32")


@pytest.fixture(scope="module")
def model():
    return simclr(temperature=0.2)


@pytest.fixture(scope="module")
def x():
    return images(3)


@pytest.fixture(scope="module")
def criterion(model):
    return Contrastive(model, images(7, seed=1), num_views=3)


def cosine(u, v):
    return float(u @ v / np.linalg.norm(u) / np.linalg.norm(v))


def test_the_loss_is_that_of_the_formula(criterion, model, x):
    """View by view and pair by pair, from the numbers that the criterion drew."""

    def project(batch, draws):
        return model(model.augment.apply(batch, draws), training=False).numpy()

    negatives = project(
        np.round(255 * images(7, seed=1)) / 255, criterion._reference_draws
    )
    expected = []
    for sample in x:
        views = project(np.stack([sample] * 3), criterion._view_draws)
        terms = []
        for r, s in itertools.permutations(range(3), 2):
            own = np.exp(cosine(views[r], views[s]) / 0.2)
            others = sum(np.exp(cosine(views[r], n) / 0.2) for n in negatives)
            terms.append(-np.log(own / (own + others)))
        expected.append(np.mean(terms))
    _, baseline = criterion.evaluate(x, x)
    np.testing.assert_allclose(baseline, expected, rtol=1e-4)


def test_f_is_zero_at_the_sample_and_not_constant(criterion, x):
    f, baseline = criterion.evaluate(x, x)
    np.testing.assert_allclose(f, 0.0, atol=1e-6)
    assert np.ptp(baseline) > 0.01
    moved, _ = criterion.evaluate(x, images(3, seed=5))
    assert np.all(np.abs(moved) > 1e-3)


def gradient_of(criterion, x):
    x = tf.constant(x)
    context = criterion.prepare(x, None, criterion.outputs(x))
    with tf.GradientTape() as tape:
        tape.watch(x)
        f = criterion.value(criterion.outputs(x), context)
    return tape.gradient(f, x).numpy()


def test_its_gradient_is_that_of_finite_differences(criterion, x):
    gradient = gradient_of(criterion, x)
    assert np.all(np.linalg.norm(gradient.reshape(3, -1), axis=1) > 1e-2)
    rng, step = np.random.default_rng(2), 1e-3
    for _ in range(3):
        direction = rng.normal(size=x.shape).astype("float32")
        ahead, _ = criterion.evaluate(x, x + step * direction)
        behind, _ = criterion.evaluate(x, x - step * direction)
        slope = np.sum(gradient * direction, axis=(1, 2, 3))
        np.testing.assert_allclose(
            (ahead - behind) / (2 * step), slope, rtol=0.05, atol=0.02
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"strength": 0.0, "grey_probability": 0.0},
        {"crop_area": (1.0, 1.0), "crop_ratio": (1.0, 1.0), "jitter_probability": 1.0},
    ],
    ids=["crop", "colour"],
)
def test_the_gradient_goes_through_each_operation(settings, x):
    model = simclr(SimCLRAugment(seed=0, **settings))
    gradient = gradient_of(Contrastive(model, images(4, seed=1), num_views=2), x)
    assert np.all(np.linalg.norm(gradient.reshape(3, -1), axis=1) > 1e-3)
    assert np.isfinite(gradient).all()


def test_a_sample_is_no_negative_of_its_own(model, x):
    reference = images(5, seed=1)
    with_itself = np.concatenate([reference, x[:1]])
    rest = Contrastive(model, reference, num_views=2)
    own = Contrastive(model, with_itself, num_views=2)
    # The augmentations drawn depend on the number of images: give both the same.
    for name, draws in rest._reference_draws.items():
        own._reference_draws[name][:5] = draws
    _, expected = rest.evaluate(x, x)
    _, received = own.evaluate(x, x)
    np.testing.assert_allclose(received[0], expected[0], rtol=1e-5)
    assert np.all(received[1:] > expected[1:])


def test_an_image_next_to_the_sample_is_a_negative(model, x):
    # Two grey levels of 255 away, where rounding to 8 bits is half of one at most.
    reference = np.stack([x[0], x[0] + 2 / 255])
    criterion = Contrastive(model, reference, num_views=2)
    samples = tf.constant(x)
    context = criterion.prepare(samples, None, criterion.outputs(samples))
    expected = [[False, True], [True, True], [True, True]]
    assert context["is_negative"].numpy().tolist() == expected


def test_samples_do_not_see_each_other(criterion, x):
    f, _ = criterion.evaluate(x, x[::-1].copy())
    alone, _ = criterion.evaluate(x[1:2], x[::-1][1:2].copy())
    np.testing.assert_allclose(alone, f[1:2], atol=1e-6)


def test_fresh_views_are_others_and_repeat(criterion, x):
    moved = images(3, seed=5)
    f, _ = criterion.evaluate(x, moved)
    fresh = criterion.fresh()
    assert fresh.seed == criterion.seed + 1
    other, _ = fresh.evaluate(x, moved)
    assert np.all(np.abs(other - f) > 1e-5)
    again, _ = criterion.fresh().evaluate(x, moved)
    np.testing.assert_array_equal(again, other)
    assert criterion.fresh(seed=9, num_views=5).num_views == 5
    assert (criterion.fresh(seed=9).seed, criterion.fresh(seed=0).seed) == (9, 0)
    np.testing.assert_array_equal(fresh.reference_batch, criterion.reference_batch)


def test_the_published_criterion_is_a_constant(model, x):
    legacy = Contrastive(model, None, legacy=True)
    for batch in (x, images(2, seed=7), np.zeros((1, *SHAPE), "float32")):
        _, baseline = legacy.evaluate(batch, batch)
        np.testing.assert_allclose(baseline, 2 * np.log(99), rtol=1e-6)
    f, _ = legacy.evaluate(x, images(3, seed=7))
    np.testing.assert_allclose(f, 0.0, atol=1e-5)
    np.testing.assert_allclose(gradient_of(legacy, x), 0.0, atol=1e-5)


def test_settings_and_reference_survive_json(criterion, x):
    config = json.loads(json.dumps(criterion.get_config()))
    again = Contrastive.from_config(config, criterion.model)
    assert again.get_config() == criterion.get_config()
    moved = images(3, seed=5)
    np.testing.assert_array_equal(
        again.evaluate(x, moved)[0], criterion.evaluate(x, moved)[0]
    )
    legacy = Contrastive(criterion.model, None, legacy=True)
    again = Contrastive.from_config(legacy.get_config(), criterion.model)
    assert again.legacy
    # A megabyte of reference images is no part of what a person reads.
    attack = MinMaxAttack(criterion, None)
    assert len(repr(attack)) < 1000
    assert "reference_batch=(7, 8, 8, 3)" in repr(criterion)


def test_an_attack_lowers_it_and_mine_looks_at_the_stem(model, criterion, x):
    attack = MinMaxAttack(
        criterion, uae_tf.MINE(warmup_steps=2, inner_steps=2), steps=8, step_size=0.02
    )
    layer = attack._bound.observed_layer(model)
    assert layer.name == "stem_conv"
    result = attack(x)
    assert result.success.any()
    assert np.isfinite(result.similarity).all()
    f, _ = criterion.evaluate(x, result.examples)
    np.testing.assert_allclose(result.criterion, f, atol=1e-5)


def test_the_one_liner_picks_it(x):
    model = simclr(SimCLRAugment(strength=0.0, grey_probability=0.0, seed=0))
    settings = {"steps": 1, "similarity": None}
    short = uae_tf.attack(model, x, **settings)
    long = MinMaxAttack(Contrastive(model, x), **settings)(x, batch_size=64)
    np.testing.assert_array_equal(short.examples, long.examples)


def test_the_encoder_of_the_paper_has_its_stem_observed():
    model = SimCLR(ResNet18(width=4, input_shape=SHAPE))
    similarity = uae_tf.MINE().for_model(model)
    assert similarity.observed_layer(model).name == "stem_conv"


def test_the_temperature_is_the_models_own_where_it_has_one(model):
    kinds = [(model, {}), (model.encoder, {}), (model, {"temperature": 0.7})]
    found = [Contrastive(m, images(2), **kw).temperature for m, kw in kinds]
    assert found == [0.2, 0.5, 0.7]


def test_encoders_of_half_precision(x):
    augment = SimCLRAugment(strength=0.0, grey_probability=0.0, seed=0)
    model = simclr(augment, dtype="mixed_bfloat16")
    f, baseline = Contrastive(model, images(4, seed=1), 2).evaluate(x, x)
    assert baseline.dtype == np.float32
    np.testing.assert_allclose(f, 0.0, atol=1e-5)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (images(1), r"two or more. Received: shape \(1, 8, 8, 3\)"),
        (images(4)[0], r"`reference_batch` must hold images.*\(8, 8, 3\)"),
        ((255 * images(4)).astype("uint8"), r"floating point.*uint8"),
        (255 * images(4), r"must lie in \[0, 1\].*Rescale it"),
        (images(4) * np.nan, r"must lie in \[0, 1\].*nan"),
        (None, "`reference_batch` must hold images"),
    ],
)
def test_wrong_reference_batches(model, reference, message):
    with pytest.raises(ValueError, match=message):
        Contrastive(model, reference)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_views": 1}, "`num_views` must be at least 2.*num_views=1"),
        ({"temperature": 0.0}, "`temperature` must be positive.*0.0"),
    ],
)
def test_wrong_settings(model, settings, message):
    with pytest.raises(ValueError, match=message):
        Contrastive(model, images(4), **settings)


def test_an_augmentation_of_ones_own(x):
    flip = keras.Sequential([keras.Input(SHAPE), layers.RandomFlip()])
    model = simclr(flip)
    message = r"`draw\(batch_size, seed\)` and `apply\(images.*model.augment=<Sequent"
    with pytest.raises(TypeError, match=message):
        Contrastive(model, images(4))
    # The published criterion augments nothing.
    assert Contrastive(model, None, legacy=True).legacy


def test_samples_that_do_not_fit(model, criterion, x):
    with pytest.raises(ValueError, match=r"`x` does not fit the model.*\(8, 8, 1\)"):
        criterion.check(x[..., :1], None)
    rows = keras.Sequential([keras.Input((192,)), layers.Dense(4)])
    with pytest.raises(ValueError, match=r"Contrastive augments images.*\(3, 192\)"):
        Contrastive(rows, images(4)).check(x.reshape(3, -1), None)
    with pytest.raises(ValueError, match=r"`reference_batch` must hold images of the"):
        Contrastive(model, images(4)[:, :4, :4]).check(x, None)
    pictures = keras.Sequential([keras.Input(SHAPE), layers.Conv2D(3, 1)])
    with pytest.raises(ValueError, match=r"maps an image to one vector.*\(8, 8, 3\)"):
        Contrastive(pictures, images(4)).check(x, None)
