import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf.attacks import MinMaxAttack, UniformNoise
from uae_tf.criteria import Reconstruction
from uae_tf.mine import MINE, GaussianMI
from uae_tf.models import ConcreteAutoencoder, concrete_decoder
from uae_tf.models import concrete as module
from uae_tf.training import retrain

RNG = np.random.default_rng(0)
# Twelve features that three of them tell: columns 0, 4 and 8, and scaled copies.
BASE = RNG.random((48, 3)).astype("float32")
X = np.concatenate(
    [BASE[:, [i]] * np.array([1.0, 0.7, 0.5, 0.3], "float32") for i in range(3)], axis=1
)


def small(**settings):
    """A model with a linear decoder, compiled: a trace of it is cheap."""
    arguments = {"k": 3, "seed": 0, "decoder": concrete_decoder(12, (), seed=0)}
    model = ConcreteAutoencoder(**{**arguments, **settings})
    model.compile(keras.optimizers.Adam(0.03), "mse", jit_compile=False)
    return model


class Temperatures(keras.callbacks.Callback):
    """What the batches of a training saw."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.select.temperature))


@pytest.fixture(scope="module")
def trained():
    """A model that had the time to decide."""
    keras.utils.set_random_seed(0)
    model = small()
    # Keras needs a twentieth of a second for each epoch over arrays.
    data = tf.data.Dataset.from_tensor_slices((X, X)).shuffle(48, seed=0).batch(16)
    history = model.fit(data, epochs=120, shuffle=False, verbose=0)
    return model, history.history


def test_it_finds_one_feature_of_each_group(trained):
    model, _ = trained
    assert sorted(f // 4 for f in model.selected_features) == [0, 1, 2]
    assert model.evaluate(X, verbose=0) < 0.01
    assert model.select.confidence > 0.9


def test_fit_cools_over_exactly_its_updates(trained):
    _, history = trained
    expected = 10.0 * 0.01 ** (np.arange(1, 121) / 120)
    np.testing.assert_allclose(history["temperature"], expected, rtol=1e-4)
    assert history["confidence"][-1] > history["confidence"][0]


def test_inference_sees_nothing_but_the_selected(trained):
    model, _ = trained
    moved = X + RNG.random(X.shape).astype("float32")
    moved[:, model.selected_features] = X[:, model.selected_features]
    np.testing.assert_array_equal(
        model.predict(X, verbose=0), model.predict(moved, verbose=0)
    )


def test_evaluation_neither_cools_nor_draws(trained):
    model, _ = trained
    before = float(model.select.temperature)
    errors = {model.evaluate(X, verbose=0) for _ in range(2)}
    assert len(errors) == 1
    assert float(model.select.temperature) == before
    direct = np.mean(np.square(model.predict(X, verbose=0) - X))
    assert errors.pop() == pytest.approx(direct, rel=1e-5)


def test_start_noise_and_similarity_move_what_f_does_not_see(trained):
    """f has no gradient at features that are not selected."""
    model, _ = trained
    hidden = np.setdiff1d(np.arange(12), model.selected_features)
    criterion, settings = Reconstruction(model), {"steps": 3, "initial_noise": 0.2}
    start = UniformNoise(0.2)(X).examples
    alone = MinMaxAttack(criterion, None, **settings)(X).examples
    # But for rounding: x + delta is made once by each of the two.
    np.testing.assert_allclose(alone[:, hidden], start[:, hidden], atol=1e-6)
    assert np.any(
        alone[:, model.selected_features] != start[:, model.selected_features]
    )
    pulled = MinMaxAttack(criterion, GaussianMI(), **settings)(X).examples
    assert np.all(np.abs(pulled - start)[:, hidden].max(axis=1) > 1e-4)
    assert pulled.min() >= 0.0
    assert pulled.max() <= 1.0


def test_views_of_a_concrete_autoencoder_are_compressive(trained):
    model, _ = trained
    bound = MINE(num_projections=4, inner_steps=1).for_model(model)
    assert type(bound).__name__ == "CompressiveMINE"


def test_tries_start_anew_with_twice_the_epochs(monkeypatch):
    model, epochs, starts = small(input_shape=(12,)), [], []
    once = keras.Model.fit

    def fit(self, *args, **kwargs):
        epochs.append(kwargs["epochs"])
        starts.append((self.get_weights(), int(self.optimizer.iterations)))
        return once(self, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", fit)
    history = model.fit(X, batch_size=48, epochs=1, verbose=0, tries=3)
    assert epochs == [1, 2, 4]
    assert len(history.epoch) == 4
    assert [iterations for _, iterations in starts] == [0, 0, 0]
    for weights, _ in starts[1:]:
        for value, first in zip(weights, starts[0][0], strict=True):
            np.testing.assert_array_equal(value, first)
    epochs.clear()
    monkeypatch.setattr(module, "CONVERGED", 0.0)
    seen = []
    watcher = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: seen.append(1))
    model.fit(X, X, 48, 1, 0, [watcher], tries=3)
    assert epochs == [1]
    model.fit(X, None, 48, 2, 0, [watcher])
    assert len(seen) == 3


def test_another_fit_with_tries_keeps_a_loss_scaling_optimizer():
    model = small(input_shape=(12,))
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), "mse")
    model.fit(X, batch_size=48, epochs=1, verbose=0, tries=1)
    kept = [id(variable) for variable in model.optimizer.variables]
    model.fit(X, batch_size=48, epochs=1, verbose=0, tries=2)
    assert [id(variable) for variable in model.optimizer.variables] == kept


def test_a_second_fit_cools_anew_unless_it_goes_on():
    model = small(input_shape=(12,))
    model.fit(X, batch_size=24, epochs=2, verbose=0)
    again = model.fit(X, batch_size=24, epochs=2, verbose=0).history["temperature"]
    np.testing.assert_allclose(again, [1.0, 0.1], rtol=1e-4)
    recorder = Temperatures()
    model.fit(X, batch_size=24, epochs=3, initial_epoch=2, callbacks=recorder)
    # The last of three epochs: from 10 * 0.01^(2/3) to the end.
    np.testing.assert_allclose(recorder.seen, [10 * 0.01 ** (5 / 6), 0.1], rtol=1e-4)


def test_retrain_cools_over_its_updates_where_epochs_are_cut():
    recorder = Temperatures()

    def factory():
        model = small(input_shape=(12,))
        model.annealing_steps = 7
        return model

    retrain(factory, X, updates=7, batch_size=20, callbacks=[recorder])
    assert recorder.seen[-1] == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(1e-3, gradient_accumulation_steps=4),
        # The first updates overflow and are skipped.
        lambda: keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(1e-3), initial_scale=2.0**127
        ),
    ],
    ids=["accumulated", "skipped"],
)
def test_a_batch_without_an_update_cools_too(optimizer):
    model = small(input_shape=(12,))
    model.compile(optimizer(), "mse", [1e3], steps_per_execution=2, jit_compile=False)
    history = model.fit(X, epochs=2, batch_size=12, verbose=0).history
    assert int(model.optimizer.iterations) < 8
    np.testing.assert_allclose(history["temperature"], [1.0, 0.1], rtol=1e-4)


def test_single_batches_cool_only_over_a_given_number(tmp_path):
    model = small(input_shape=(12,))
    model.train_on_batch(X)
    assert float(model.select.temperature) == 10.0
    model.annealing_steps = 4
    model.train_on_batch(X)
    assert float(model.select.temperature) == pytest.approx(10 * 0.01**0.25)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.annealing_steps == 4
    loaded.train_on_batch(X)
    assert float(loaded.select.temperature) == pytest.approx(1.0)
    temperature = loaded.fit(X, epochs=2, verbose=0).history["temperature"]
    assert temperature[-1] == pytest.approx(0.1)
    model.annealing_steps = None
    model.fit(X, batch_size=48, verbose=0)
    model.select.anneal(0.5)
    model.train_on_batch(X)
    assert float(model.select.temperature) == 1.0
    with pytest.raises(ValueError, match="annealing_steps must be a positive"):
        model.annealing_steps = 0


def test_the_last_batch_is_learnt_from_at_the_end_temperature():
    cooled, cold = small(input_shape=(12,)), small(input_shape=(12,))
    cooled.annealing_steps = 1
    cold.select.anneal(1.0)
    for model in (cooled, cold):
        model.train_on_batch(X)
    for found, wanted in zip(cooled.get_weights(), cold.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_an_interrupted_training_cools_on(tmp_path):
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")

    def stop(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    killer = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    with pytest.raises(KeyboardInterrupt):
        small(input_shape=(12,)).fit(
            X, batch_size=24, epochs=2, verbose=0, callbacks=[backup, killer]
        )
    recorder = Temperatures()
    again = small(input_shape=(12,))
    again.fit(X, batch_size=24, epochs=2, verbose=0, callbacks=[backup, recorder])
    np.testing.assert_allclose(recorder.seen, [10 * 0.01**0.75, 0.1], rtol=1e-4)


def test_whole_numbers_are_reconstructed_as_floats_are():
    x = (10 * X).astype("uint8")
    found, wanted = (
        small(input_shape=(12,)).fit(data, shuffle=False, verbose=0).history
        for data in (x, x.astype("float32"))
    )
    assert found["loss"] == pytest.approx(wanted["loss"])
    model = small(input_shape=(12,))
    np.testing.assert_array_equal(model(x), model(x.astype("float32")))


def test_weights_of_samples_count_without_a_target():
    weights = np.linspace(0.0, 2.0, 48)
    implicit, explicit = small(input_shape=(12,)), small(input_shape=(12,))
    assert implicit.evaluate(X, sample_weight=weights, verbose=0) == pytest.approx(
        explicit.evaluate(X, X, sample_weight=weights, verbose=0)
    )
    found = implicit.fit(X, sample_weight=weights, shuffle=False, verbose=0).history
    wanted = explicit.fit(X, X, sample_weight=weights, shuffle=False, verbose=0).history
    assert found == wanted


def test_it_trains_under_a_strategy_without_a_target():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = small(input_shape=(12,))
    history = model.fit(X, batch_size=24, epochs=2, verbose=0).history
    np.testing.assert_allclose(history["temperature"], [1.0, 0.1], rtol=1e-4)


def test_there_is_no_selection_before_the_shape_is_known():
    for name in ("selected_features", "probabilities"):
        with pytest.raises(ValueError, match=r"no selection yet.*`input_shape`"):
            getattr(ConcreteAutoencoder(3), name)


def test_data_of_unknown_length_needs_to_be_told_its_end():
    batches = tf.data.Dataset.from_tensor_slices(X).batch(16)
    unknown = batches.filter(lambda x: True)
    with pytest.raises(ValueError, match=r"number of batches is unknown.*annealing_s"):
        small().fit(unknown, epochs=1, verbose=0, shuffle=False)


def test_images_go_in_and_come_out_as_they_are():
    model = ConcreteAutoencoder(4, input_shape=(4, 3, 1), seed=0)
    images = X.reshape(-1, 4, 3, 1)
    assert model(images).shape == (48, 4, 3, 1)
    np.testing.assert_array_equal(model.select(X), X[:, model.selected_features])


def test_the_paper_s_decoder():
    layers = concrete_decoder(784).layers
    assert [type(layer).__name__ for layer in layers] == [
        *["Dense", "LeakyReLU", "Dropout"] * 2,
        "Dense",
    ]
    assert [layers[i].units for i in (0, 3, 6)] == [320, 320, 784]
    assert layers[1].negative_slope == 0.2
    assert layers[2].rate == 0.1
    assert concrete_decoder(9, (5,), dropout=0.3).layers[2].rate == 0.3


@pytest.mark.parametrize("own_decoder", [True, False])
def test_it_is_saved_whole(own_decoder, tmp_path):
    decoder = concrete_decoder(12, (5,), seed=1) if own_decoder else None
    model = ConcreteAutoencoder(3, decoder, (12,), embedding_dim=4, seed=0)
    model.select.anneal(0.5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (loaded.select.get_config(), loaded.sample_shape) == (
        model.select.get_config(),
        (12,),
    )
    np.testing.assert_array_equal(loaded(X), model(X))
    assert float(loaded.select.temperature) == float(model.select.temperature)


def test_one_seed_gives_one_model():
    one, same = (ConcreteAutoencoder(3, input_shape=(12,), seed=5) for _ in range(2))
    np.testing.assert_array_equal(one(X, training=True), same(X, training=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 13, "input_shape": (12,)}, "k=13 of 12 features"),
        ({"k": 3, "input_shape": (0,)}, "input_shape must be"),
        (
            {"k": 3, "input_shape": (12,), "decoder": keras.layers.Dense(5)},
            r"3 features into samples of shape \(12,\).*outputs \(None, 5\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConcreteAutoencoder(**arguments)


def test_wrong_numbers_of_tries():
    for tries in (0, 1.5):
        with pytest.raises(ValueError, match="tries must be a positive integer"):
            small().fit(X, tries=tries)
    model = ConcreteAutoencoder(3, input_shape=(12,))
    with pytest.raises(ValueError, match="compile"):
        model.fit(X, tries=2)


def test_a_shape_that_cannot_be_seen_must_be_passed():
    with pytest.raises(ValueError, match=r"Pass `input_shape`.*generator"):
        small().fit((x for x in [X]), verbose=0)
