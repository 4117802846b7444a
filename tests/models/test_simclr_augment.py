import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf.models import SimCLRAugment
from uae_tf.models.colour import jitter, to_grey
from uae_tf.models.crop import crop_and_resize

IMAGES = np.random.default_rng(0).random((4, 32, 32, 3)).astype("float32")
ORDERS = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]]


def each(value):
    return tf.fill((len(IMAGES),), float(value))


def planes_of(images):
    """(batch, height, width, 3) -> (3, batch, pixels)."""
    return tf.transpose(tf.reshape(images, (len(images), -1, 3)), (2, 0, 1))


def jittered(images, parameters):
    planes = jitter(planes_of(images), parameters)
    return tf.reshape(tf.transpose(planes, (1, 2, 0)), images.shape)


def cropped(images, *box):
    planes = crop_and_resize(tf.transpose(images, (3, 0, 1, 2)), *box)
    return tf.transpose(planes, (1, 2, 3, 0))


def colours(order=ORDERS, **changed):
    neutral = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
    values = {name: each(value) for name, value in {**neutral, **changed}.items()}
    return {**values, "order": tf.constant(order)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("contrast", 1.4), ("contrast", 0.6)),
        *(("saturation", 1.4), ("saturation", 0.6)),
        *(("hue", 0.1), ("hue", -0.1), ("hue", 0.5)),
    ],
)
def test_each_change_is_that_of_tensorflow(name, value):
    expected = getattr(tf.image, f"adjust_{name}")(IMAGES, value)
    got = jittered(IMAGES, colours(**{name: value}))
    np.testing.assert_allclose(got, np.clip(expected, 0, 1), atol=2e-6)


def test_brightness_is_a_factor():
    got = jittered(IMAGES, colours(brightness=1.3))
    np.testing.assert_allclose(got, np.minimum(1.3 * IMAGES, 1), atol=1e-6)


def test_changes_come_in_each_image_s_own_order_and_are_clipped_in_between():
    settings = {"brightness": 1.4, "contrast": 1.3, "saturation": 0.7, "hue": 0.08}
    got = jittered(IMAGES, colours(**settings))
    for image, order, result in zip(IMAGES, ORDERS, got, strict=True):
        for change in order:
            name = ("brightness", "contrast", "saturation", "hue")[change]
            if name == "brightness":
                image = image * settings[name]
            else:
                image = getattr(tf.image, f"adjust_{name}")(image, settings[name])
            image = np.clip(image, 0, 1)
        np.testing.assert_allclose(result, image, atol=5e-6)


def test_grey_is_that_of_tensorflow():
    expected = np.repeat(tf.image.rgb_to_grayscale(IMAGES), 3, axis=3)
    got = to_grey(planes_of(IMAGES))
    np.testing.assert_allclose(got, planes_of(expected), atol=1e-6)


def test_a_crop_is_tensorflow_s_bicubic_resize_of_the_pixels_inside():
    box = [each(pixels / 32) for pixels in (3, 5, 20, 17)]
    mirrored = tf.constant([False, True, False, True])
    got = cropped(IMAGES, *box, mirrored)
    resized = tf.image.resize(IMAGES[:, 3:23, 5:22], (32, 32), method="bicubic")
    expected = np.where(mirrored[:, None, None, None], resized[:, :, ::-1], resized)
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_the_whole_image_as_a_crop_is_the_image():
    box = [each(value) for value in (0, 0, 1, 1)]
    got = cropped(IMAGES, *box, tf.zeros(4, tf.bool))
    np.testing.assert_allclose(got, IMAGES, atol=1e-6)


def test_images_need_not_be_square():
    images = tf.constant(IMAGES[:, :20])
    got = SimCLRAugment(seed=0)(images, training=True)
    assert got.shape == (4, 20, 32, 3)


def test_parameters_lie_within_the_published_ranges():
    drawn = SimCLRAugment(strength=0.5).draw(20_000, seed=0)
    drawn = {name: values.numpy() for name, values in drawn.items()}
    area = drawn["height"] * drawn["width"]
    ratio = drawn["width"] / drawn["height"]
    assert 0.08 <= area.min() < 0.09
    assert 0.99 < area.max() <= 1.0 + 1e-6
    assert area.mean() == pytest.approx(0.54, abs=0.01)
    assert 3 / 4 - 1e-5 <= ratio.min() < 0.76
    assert 1.32 < ratio.max() <= 4 / 3 + 1e-5
    assert (drawn["top"] >= 0).all()
    assert (drawn["left"] >= 0).all()
    assert (drawn["top"] + drawn["height"]).max() <= 1 + 1e-6
    assert (drawn["left"] + drawn["width"]).max() <= 1 + 1e-6
    for name in ("brightness", "contrast", "saturation"):
        assert drawn[name].min() == pytest.approx(0.6, abs=1e-3)
        assert drawn[name].max() == pytest.approx(1.4, abs=1e-3)
    assert np.abs(drawn["hue"]).max() == pytest.approx(0.1, abs=1e-3)
    for name, share in (("is_mirrored", 0.5), ("is_jittered", 0.8), ("is_grey", 0.2)):
        assert drawn[name].mean() == pytest.approx(share, abs=0.01)
    codes, counts = np.unique(drawn["order"] @ [64, 16, 4, 1], return_counts=True)
    assert len(codes) == 24
    assert counts.min() > 20_000 / 24 * 0.85


def test_parameters_are_drawn_one_without_regard_to_another():
    drawn = SimCLRAugment().draw(20_000, seed=0)
    drawn = {name: values.numpy() for name, values in drawn.items()}
    height, width, order = (drawn.pop(name) for name in ("height", "width", "order"))
    # As shares of what there is to choose from.
    drawn["top"] /= np.maximum(1 - height, 1e-6)
    drawn["left"] /= np.maximum(1 - width, 1e-6)
    drawn |= {"area": height * width, "ratio": np.log(width / height)}
    rows = [*drawn.values(), *order[:, :1].T]
    correlations = np.corrcoef(np.array(rows, float))
    assert np.abs(correlations - np.eye(len(rows))).max() < 0.03


def test_views_stay_in_the_box_and_differ_from_image_to_image():
    same = tf.repeat(IMAGES[:1], 16, axis=0)
    views = SimCLRAugment(strength=1.0, seed=0)(same, training=True).numpy()
    assert views.min() >= 0
    assert views.max() <= 1
    distances = np.abs(views[:, None] - views[None]).mean(axis=(2, 3, 4))
    assert distances[~np.eye(16, dtype=bool)].min() > 1e-3


def test_the_same_seed_gives_the_same_views_and_each_call_new_ones():
    first, second = SimCLRAugment(seed=3), SimCLRAugment(seed=3)
    views = [layer(IMAGES, training=True) for layer in (first, second, first)]
    np.testing.assert_array_equal(views[0], views[1])
    assert np.abs(views[0] - views[2]).max() > 0.1
    np.testing.assert_array_equal(first(IMAGES, training=False), IMAGES)


def test_the_same_parameters_treat_two_batches_alike():
    augment = SimCLRAugment(seed=0)
    parameters = augment.draw(4, seed=5)
    views = augment.apply(IMAGES, parameters)
    np.testing.assert_array_equal(augment.apply(IMAGES, augment.draw(4, 5)), views)
    moved = augment.apply(np.clip(IMAGES + 1e-4, 0, 1), parameters)
    assert np.abs(moved - views).max() < 0.01


def test_the_gradient_is_that_of_finite_differences():
    augment = SimCLRAugment(seed=0)
    parameters = augment.draw(4, seed=1)
    # Away from the box, where clipping has a kink.
    x = tf.constant(0.35 + 0.3 * IMAGES)
    direction = tf.constant(np.random.default_rng(2).normal(size=x.shape), tf.float32)
    weights = tf.constant(np.random.default_rng(3).normal(size=x.shape), tf.float32)

    def value(step):
        return tf.reduce_sum(weights * augment.apply(x + step * direction, parameters))

    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(weights * augment.apply(x, parameters))
    slope = tf.reduce_sum(tape.gradient(total, x) * direction)
    difference = (value(1e-4) - value(-1e-4)) / 2e-4
    np.testing.assert_allclose(slope, difference, rtol=0.02)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_the_gradient_is_finite_on_grey_images(value):
    augment = SimCLRAugment(strength=1.0)
    x = tf.fill((8, 8, 8, 3), value)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(augment.apply(x, augment.draw(8, seed=0)))
    assert np.isfinite(tape.gradient(total, x)).all()


def test_half_precision_images_are_augmented_in_float32():
    augment = SimCLRAugment(seed=0)
    assert augment(tf.cast(IMAGES, tf.bfloat16), training=True).dtype == tf.float32


def test_any_channels_where_colours_are_left_alone():
    augment = SimCLRAugment(strength=0.0, grey_probability=0.0, seed=0)
    assert augment(IMAGES[..., :1], training=True).shape == (4, 32, 32, 1)
    with pytest.raises(ValueError, match=r"\(batch, height, width, 3\)"):
        SimCLRAugment()(IMAGES[..., :1], training=True)


def test_survives_a_config():
    augment = SimCLRAugment(0.7, (0.2, 0.9), (0.5, 2.0), 0.5, 0.1, seed=4, name="a")
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(augment)
    )
    assert again.get_config() == augment.get_config()
    np.testing.assert_array_equal(
        again(IMAGES, training=True), augment(IMAGES, training=True)
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strength": 2.0}, r"strength must lie in \[0, 1.25\]"),
        ({"crop_area": (0.0, 1.0)}, "crop_area must be"),
        ({"crop_area": (0.5, 1.5)}, "crop_area must be"),
        ({"crop_ratio": (1.5, 2.0)}, "crop_ratio must include 1"),
        ({"grey_probability": -0.1}, r"grey_probability must lie in \[0, 1\]"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SimCLRAugment(**settings)
