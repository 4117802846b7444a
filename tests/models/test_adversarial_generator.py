import keras
import numpy as np
import pytest
from keras import layers

from uae_tf.models import AdversarialExampleGenerator
from uae_tf.models.bounded_change import BoundedChange

MAKE = {
    "dense": lambda: AdversarialExampleGenerator.dense((2,), (8,), 4, 3, seed=1),
    "images": lambda: AdversarialExampleGenerator.dense(
        (4, 4, 1), (8,), output_activation="sigmoid", seed=1
    ),
    "bounded": lambda: AdversarialExampleGenerator.bounded_dense(
        (4, 4, 1), 0.5, (8,), 3, seed=1
    ),
    "bounded points": lambda: AdversarialExampleGenerator.bounded_dense(
        (2,), 0.1, seed=1
    ),
    "bounded images": lambda: AdversarialExampleGenerator.bounded_unet(
        (8, 4, 3), 2.0, width=2, noise_dim=5, seed=1
    ),
    "convolutional": lambda: AdversarialExampleGenerator.convolutional(
        (8, 16, 3), width=2, noise_dim=5, seed=1
    ),
}


def samples(generator, count=3):
    shape = generator.encoder.input_shape[1:]
    return np.random.default_rng(0).random((count, *shape)).astype("float32")


@pytest.fixture(params=MAKE)
def generator(request):
    keras.utils.set_random_seed(0)
    return MAKE[request.param]()


def test_examples_have_the_shape_of_samples_and_follow_the_noise(generator):
    x = samples(generator)
    z = np.random.default_rng(1).normal(size=(2, 3, generator.noise_dim))
    first, second = (generator([x, noise.astype("float32")]).numpy() for noise in z)
    assert first.shape == x.shape
    assert np.any(first != second)
    drawn = [generator(x).numpy() for _ in range(2)]
    assert np.any(drawn[0] != drawn[1])


def test_it_survives_a_keras_file(generator, tmp_path):
    x = samples(generator)
    z = np.ones((3, generator.noise_dim), "float32")
    generator.save(tmp_path / "generator.keras")
    loaded = keras.saving.load_model(tmp_path / "generator.keras")
    np.testing.assert_array_equal(loaded([x, z]), generator([x, z]))
    assert loaded.seed == 1


def test_pretraining_makes_an_autoencoder_of_it():
    keras.utils.set_random_seed(0)
    generator = AdversarialExampleGenerator.dense((2,))
    x = np.random.default_rng(0).normal(size=(256, 2)).astype("float32")
    settings = {"batch_size": 32, "learning_rate": 2e-3, "verbose": 0}
    history = generator.pretrain(x, epochs=30, **settings).history
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    assert float(generator.optimizer.learning_rate) == pytest.approx(2e-3)


@pytest.mark.parametrize(
    ("name", "epsilon"),
    [("bounded", 0.5), ("bounded points", 0.1), ("bounded images", 2.0)],
)
def test_a_bounded_change_has_its_length_and_turns_with_the_noise(name, epsilon):
    keras.utils.set_random_seed(0)
    generator = MAKE[name]()
    x = samples(generator)
    z = np.random.default_rng(1).normal(size=(3, generator.noise_dim)).astype("float32")
    change = generator([x, z]).numpy() - x
    lengths = np.linalg.norm(change.reshape(3, -1), axis=1)
    np.testing.assert_allclose(lengths, epsilon, rtol=1e-5)
    np.testing.assert_allclose(generator([x, -z]).numpy() - x, -change, atol=1e-6)
    np.testing.assert_allclose(generator([x, 8 * z]).numpy() - x, change, atol=1e-6)


def test_directions_of_a_bounded_change_are_orthogonal():
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(5, 4, 4, 1, 3)).astype("float32")
    basis[..., 1] = basis[..., 0] + 0.3 * basis[..., 1]
    x = np.zeros((5, 4, 4, 1), "float32")
    layer = BoundedChange(2.0)
    changes = np.stack(
        [
            layer([x, basis, np.tile(row, (5, 1)).astype("float32")]).numpy()
            for row in np.eye(3)
        ],
        axis=1,
    ).reshape(5, 3, 16)
    products = changes @ changes.transpose(0, 2, 1)
    np.testing.assert_allclose(products, 4.0 * np.tile(np.eye(3), (5, 1, 1)), atol=0.06)


def test_bounded_changes_in_half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        generator = AdversarialExampleGenerator.bounded_dense((6,), 0.5, (8,), 9)
        x = samples(generator)
        lengths = np.linalg.norm(generator(x).numpy().astype("float32") - x, axis=1)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(lengths, 0.5, rtol=0.01)


def test_noise_of_zeros_changes_nothing():
    generator = MAKE["bounded"]()
    x = samples(generator)
    z = np.zeros((3, generator.noise_dim), "float32")
    np.testing.assert_array_equal(generator([x, z]), x)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, np.nan, np.inf])
def test_a_length_that_is_none(epsilon):
    with pytest.raises(ValueError, match="epsilon must be positive"):
        AdversarialExampleGenerator.bounded_dense((2,), epsilon)


def test_hidden_layers_are_relu_on_both_sides_of_the_code():
    generator = AdversarialExampleGenerator.dense((2,), (8, 6))
    for part, last in ((generator.encoder, "code"), (generator.decoder, "values")):
        dense = [x for x in part.layers if isinstance(x, layers.Dense)]
        found = [layer.activation.__name__ for layer in dense]
        assert (found, dense[-1].name) == (["relu", "relu", "linear"], last)


def test_three_halvings_and_back():
    generator = AdversarialExampleGenerator.convolutional((32, 32, 3))
    assert generator.encoder.output_shape == (None, 4, 4, 256)
    assert generator.noise_dim == 64


def encoder(units=4):
    return keras.Sequential([keras.Input((2,)), layers.Dense(units)])


def decoder(units=2, code=4):
    inputs = [keras.Input((code,)), keras.Input((3,))]
    return keras.Model(inputs, layers.Dense(units)(layers.Concatenate()(inputs)))


def test_networks_of_ones_own():
    generator = AdversarialExampleGenerator(encoder(), decoder())
    assert generator.noise_dim == 3
    assert generator(np.zeros((5, 2), "float32")).shape == (5, 2)


def test_noise_that_is_not_given_is_normal_and_follows_the_seed():
    inputs = [keras.Input((4,)), keras.Input((2,))]
    bare = keras.Model(inputs, layers.Identity()(inputs[1]))
    x, drawn = np.zeros((4000, 2), "float32"), []
    for number, seed in enumerate((3, 3, 4)):
        keras.utils.set_random_seed(number)
        drawn.append(AdversarialExampleGenerator(encoder(), bare, seed)(x).numpy())
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.all(drawn[0] != drawn[2])
    assert drawn[0].mean() == pytest.approx(0.0, abs=0.05)
    assert drawn[0].std() == pytest.approx(1.0, abs=0.05)
    assert np.mean(drawn[0] ** 4) == pytest.approx(3.0, abs=0.5)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((encoder, lambda: decoder(units=3)), r"shape of the encoder's input, \(N.*3"),
        ((encoder, lambda: decoder(code=5)), r"must take \[code, z\].*\(None, 4\)"),
        ((encoder, encoder), r"must take \[code, z\]"),
        ((lambda: keras.Sequential([layers.Dense(4)]), decoder), "encoder must be a b"),
    ],
)
def test_parts_that_do_not_fit(parts, message):
    with pytest.raises(ValueError, match=message):
        AdversarialExampleGenerator(*(make() for make in parts))


def test_sides_that_cannot_be_halved():
    with pytest.raises(ValueError, match="sides divisible by 8"):
        AdversarialExampleGenerator.convolutional((28, 28, 1))
    with pytest.raises(ValueError, match="sides divisible by 4"):
        AdversarialExampleGenerator.bounded_unet((28, 30, 1), 1.0)
