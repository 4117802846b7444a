import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf import (
    AdversarialGeneratorTraining,
    ConsistencyTraining,
    SemiSupervisedDataset,
    VirtualAdversarialTraining,
)
from uae_tf.models import AdversarialExampleGenerator, DenseClassifier
from uae_tf.training.compiled_once import CompiledOnce
from uae_tf.training.guards import EpochStart, StopOnNonFinite


def network(dropout=0.0, seed=0):
    keras.utils.set_random_seed(seed)
    if not dropout:
        return DenseClassifier((2,), 2, (8,))
    return keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(2),
        ]
    )


def vat(classifier, **settings):
    return VirtualAdversarialTraining(classifier, epsilon=0.3, **settings)


def generator(classifier, **settings):
    made = AdversarialExampleGenerator.dense((2,), (8,), code_dim=4)
    return AdversarialGeneratorTraining(classifier, made, **settings)


KINDS = {"given": ConsistencyTraining, "vat": vat, "generator": generator}


def points(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 2)).astype("float32")


def data(has_examples, seed=0, **settings):
    x, pool = points(6), points(20, seed=1)
    examples = pool + 0.1 if has_examples else None
    sizes = {"labelled_batch": 4, "unlabelled_batch": 8, "steps_per_epoch": 3}
    y = np.arange(6) % 2
    return SemiSupervisedDataset(
        x, y, pool, examples, seed=seed, **{**sizes, **settings}
    )


def make(kind, seed=0, dropout=0.0, **settings):
    model = KINDS[kind](network(dropout, seed), seed=seed, **settings)
    model.compile(keras.optimizers.Adam(1e-2))
    return model


def train(kind, epochs=2, callbacks=None, **settings):
    model = make(kind, **settings)
    history = model.fit(
        data(kind == "given"), epochs=epochs, callbacks=callbacks, verbose=0
    )
    return model, history.history


def assert_equal_weights(model, other):
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture(scope="module", params=KINDS)
def trained(request):
    return request.param, *train(request.param, dropout=0.3, entropy_minimization=True)


def test_the_loss_is_the_sum_of_its_terms(trained):
    _, _, logs = trained
    total = np.sum([logs[n] for n in ("nll", "consistency", "entropy")], axis=0)
    np.testing.assert_allclose(logs["loss"], total, rtol=1e-5)
    assert np.all(np.array(logs["consistency"]) > 0)


def test_it_predicts_and_evaluates_as_its_classifier(trained):
    _, model, _ = trained
    x, y = points(7), np.arange(7) % 2
    logits = model.classifier.predict(x, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), logits, rtol=1e-6)
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    assert set(logs) == {"loss", "accuracy"}
    assert logs["accuracy"] == pytest.approx(np.mean(logits.argmax(axis=1) == y))


def test_equal_seeds_give_equal_weights_in_one_fit_or_two(trained):
    kind, model, _ = trained
    again = make(kind, dropout=0.3, entropy_minimization=True)
    for _ in range(2):
        again.fit(data(kind == "given"), verbose=0)
    assert_equal_weights(model, again)


def test_epochs_are_counted_from_one_fit_to_the_next():
    model = make("given", dropout=0.5)
    masks = next(v for v in model.variables if "seed_generator_state" in v.path)
    # A new model may begin anywhere, as one whose weights alone were kept.
    for first, expected in ((4, 4), (0, 5), (6, 6), (2, 7)):
        start = EpochStart(None, model.epochs_trained)
        start.set_model(model)
        start.on_epoch_begin(first)
        assert masks.numpy()[1] == expected * 2**24
        start.on_epoch_end(first)
    kept = CompiledOnce(lambda: make("given"), 1)
    kept().epochs_trained.assign(3)
    assert int(kept().epochs_trained) == 0


def test_the_loss_is_logged_after_another_compile():
    model = KINDS["given"](network(), weight=0.0)
    for _ in range(2):
        model.compile("adam", run_eagerly=True)
        # One callback need not be a list.
        logs = model.fit(
            points(6),
            np.arange(6) % 2,
            callbacks=keras.callbacks.EarlyStopping("loss"),
            verbose=0,
        ).history
        assert logs["loss"] == pytest.approx(logs["nll"])


def test_it_survives_a_keras_file_and_trains_on(trained, tmp_path):
    kind, model, _ = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for name, value in model.get_config().items():
        if name not in ("classifier", "generator"):
            assert loaded.get_config()[name] == value
    x = points(5)
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6
    )
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations)
    if kind == "generator":
        assert int(loaded.generator_optimizer.iterations) == 6
        assert loaded.generator_optimizer.beta_1 == 0.5
    loaded.fit(data(kind == "given"), verbose=0)


class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "kind", ["given", pytest.param("vat", marks=pytest.mark.slow), "generator"]
)
def test_a_resumed_run_ends_as_a_straight_one(kind, tmp_path):
    straight, _ = train(kind, epochs=3, dropout=0.3)

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    with pytest.raises(KeyboardInterrupt):
        train(kind, epochs=3, dropout=0.3, callbacks=[backup(), Stop()])
    resumed, logs = train(kind, epochs=3, dropout=0.3, callbacks=[backup()])
    assert len(logs["loss"]) == 2
    assert_equal_weights(straight, resumed)


def test_only_the_labelled_clean_pass_moves_the_statistics():
    model = make("vat")
    norm = next(v for v in model.classifier.variables if "moving_mean" in v.path)
    before = norm.numpy()
    model.passive_logits(points(9))
    np.testing.assert_array_equal(norm.numpy(), before)
    alone = KINDS["given"](network(), weight=0.0)
    alone.compile(keras.optimizers.SGD(0.0))
    both = vat(network())
    both.compile(keras.optimizers.SGD(0.0))
    for trained in (alone, both):
        trained.fit(data(False), verbose=0)
    for a, b in zip(alone.get_weights(), both.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    moved = next(v for v in both.classifier.variables if "moving_mean" in v.path)
    assert np.any(moved.numpy() != before)


def test_unlabelled_passes_share_one_dropout_mask():
    model = make("given", dropout=0.5)
    x = points(9)
    first, second = (model.passive_logits(x).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    # With equal samples and equal masks there is nothing to be inconsistent about.
    pairs = SemiSupervisedDataset(points(6), np.arange(6) % 2, x, examples=x)
    logs = model.fit(pairs, verbose=0).history
    assert logs["consistency"] == [0.0]
    model.classifier(x, training=True)
    assert np.any(model.passive_logits(x).numpy() != first)


def test_plain_arrays_are_the_supervised_mode():
    model = make("vat")
    logs = model.fit(points(6), np.arange(6) % 2, batch_size=3, verbose=0).history
    assert logs["consistency"][0] > 0


def test_logs_are_means_over_samples_where_the_last_batch_is_smaller():
    x, y = points(9), np.arange(9) // 8
    model = ConsistencyTraining(network(), weight=0.0)
    model.compile(keras.optimizers.SGD(0.0))
    logs = model.fit(x, y, batch_size=8, shuffle=False, verbose=0).history
    batches = (slice(0, 8), slice(8, 9))
    losses = [model.train_on_batch(x[rows], y[rows])[0] for rows in batches]
    expected = (8 * losses[0] + losses[1]) / 9
    assert logs["loss"] == logs["nll"] == [pytest.approx(expected, rel=1e-5)]


def test_a_weight_of_zero_leaves_the_unlabelled_out():
    supervised, logs = train("given", weight=0.0)
    supervised = supervised.classifier
    assert set(logs) == {"loss", "nll", "accuracy"}
    plain = network()
    plain.compile(
        keras.optimizers.Adam(1e-2),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    batches = data(False)
    for epoch in range(2):
        batches.set_epoch(epoch)
        batches.on_epoch_begin()
        for index in range(len(batches)):
            (x, _), y = batches[index]
            plain.train_on_batch(x, y)
    for ours, theirs in zip(supervised.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_ramp_grows_to_one():
    model = make("given", ramp_updates=4)
    found = []
    for update in range(6):
        model.optimizer.iterations.assign(update)
        found.append(float(model.ramp()))
    assert found == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("kind", ["vat", "generator"])
def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_epoch(kind):
    model = make(kind)
    kept = []

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            kept.append(model.get_weights())
            if epoch == 1:
                batches.pools[0][:] = np.inf

    batches = data(False)
    with pytest.raises(FloatingPointError, match=r"'consistency'.*epoch 2, batch 1.*"):
        model.fit(batches, epochs=3, callbacks=[Spoil()], verbose=0)
    for ours, theirs in zip(model.get_weights(), kept[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert all(np.all(np.isfinite(w)) for w in model.get_weights())


def test_what_the_last_update_of_an_epoch_broke_is_not_kept():
    model = make("generator")
    state = [
        *model.weights,
        *model.optimizer.variables,
        *model.generator_optimizer.variables,
    ]
    expected = [variable.numpy() for variable in state]
    guard = StopOnNonFinite(["loss"])
    guard.set_model(model)
    guard.on_epoch_begin(0)
    for variable in state:
        if "float" in variable.dtype:
            variable.assign(np.full(variable.shape, np.nan))
    guard.on_epoch_begin(1)
    with pytest.raises(FloatingPointError, match=r"epoch 2.*are those of the start"):
        guard.on_train_batch_end(0, {"loss": np.nan})
    for variable, value in zip(state, expected, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


@pytest.mark.parametrize("floatx", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["vat", "generator"])
def test_samples_in_double_precision(kind, floatx):
    # As `tf.data` gives them; of arrays Keras makes its own dtype.
    x = tf.constant(points(4), tf.float64)
    before = keras.config.floatx()
    keras.config.set_floatx(floatx)
    try:
        logs = make(kind).train_step(((x, x), tf.constant([0, 1, 0, 1])))
    finally:
        keras.config.set_floatx(before)
    assert logs["consistency"] > 0


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = make("vat", xi=0.1)
        logs = model.fit(data(False), verbose=0).history
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(logs["loss"][0])
    assert logs["consistency"][0] > 0


def test_half_precision_resumes_and_stops_as_full(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        straight, _ = train("given", epochs=3)

        def backup():
            return keras.callbacks.BackupAndRestore(tmp_path / "backup")

        with pytest.raises(KeyboardInterrupt):
            train("given", epochs=3, callbacks=[backup(), Stop()])
        resumed, _ = train("given", epochs=3, callbacks=[backup()])
    finally:
        keras.config.set_dtype_policy(before)
    assert_equal_weights(straight, resumed)
    paths = [variable.path for variable in straight.optimizer.variables]
    assert len(set(paths)) == len(paths)
    batches = data(True)
    batches.pools[0][:] = np.inf
    with pytest.raises(FloatingPointError, match="'consistency'"):
        straight.fit(batches, verbose=0)
    assert_equal_weights(straight, resumed)


def test_an_optimizer_that_collects_gradients():
    model = vat(network(), ramp_updates=2)
    model.compile(keras.optimizers.Adam(1e-2, gradient_accumulation_steps=3))
    logs = model.fit(data(False), epochs=2, verbose=0).history
    assert int(model.optimizer.iterations) == 2
    # The ramp counts updates: half of the terms in the first epoch, all in the second.
    extra = np.subtract(logs["loss"], logs["nll"]) / logs["consistency"]
    np.testing.assert_allclose(extra, [0.5, 1.0], rtol=1e-3)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.logits = keras.layers.Dense(2)

    def call(self, x):
        return self.logits(x)


@pytest.mark.parametrize("kind", KINDS)
def test_a_subclassed_classifier_knows_what_it_was_built_with(kind):
    classifier = Subclassed()
    classifier(points(3))
    assert KINDS[kind](classifier).num_classes == 2
    shapeless = Subclassed()
    shapeless.built = True
    with pytest.raises(ValueError, match=r"must know the shape.*a property"):
        KINDS[kind](shapeless)


def test_bad_arguments():
    with pytest.raises(TypeError, match="`classifier` must be a Keras model"):
        ConsistencyTraining("mlp")
    with pytest.raises(ValueError, match="must be built"):
        ConsistencyTraining(keras.Sequential([keras.layers.Dense(2)]))
    with pytest.raises(ValueError, match="must return logits"):
        ConsistencyTraining(
            keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax")])
        )
    with pytest.raises(ValueError, match=r"`weight` must be at least 0.*-1"):
        ConsistencyTraining(network(), weight=-1.0)
    with pytest.raises(ValueError, match="`epsilon` must be positive"):
        VirtualAdversarialTraining(network(), epsilon=-1.0)


def test_batches_of_another_structure():
    with pytest.raises(ValueError, match=r"takes batches.*Received: x of 3 arrays"):
        make("vat").fit(data(True), verbose=0)
