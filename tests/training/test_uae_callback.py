import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf.attacks import GaussianNoise, PGDAttack
from uae_tf.criteria import UntargetedMargin
from uae_tf.training import AugmentedDataset, UAECallback


class Totals(keras.Model):
    """Reports the sum of inputs, targets and weights of an epoch, and never learns."""

    def __init__(self):
        super().__init__()
        names = ("inputs", "targets", "weights")
        self.sums = [keras.metrics.Sum(name=name) for name in names]
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        self.traces = 0

    def call(self, x):
        return x * self.scale

    def train_step(self, batch):
        self.traces += 1
        for total, part in zip(self.sums, batch, strict=False):
            total.update_state(part)
        return {total.name: total.result() for total in self.sums}

    @property
    def metrics(self):
        return self.sums


def totals():
    model = Totals()
    model.compile("sgd")
    return model


class Log(keras.callbacks.Callback):
    """Puts given values into the logs and keeps what the slots held."""

    def __init__(self, data=None, values=()):
        super().__init__()
        self.data, self.values = data, values
        self.active, self.examples = [], []

    def on_epoch_end(self, epoch, logs=None):
        if self.values:
            logs["fake"] = self.values[epoch]
        if self.data is not None:
            self.active.append(self.data.active.copy())
            self.examples.append(self.data.examples.copy())


def noise_run(epochs, num_samples=20, values=(), copies=1, **settings):
    data = AugmentedDataset(np.full((num_samples, 2), 0.5), copies=copies)
    log = Log(data, values)
    callback = UAECallback(data, GaussianNoise(0.1), verbose=0, **settings)
    totals().fit(data, epochs=epochs, callbacks=[log, callback], verbose=0)
    return callback, log


def test_three_phases_on_a_convolutional_autoencoder(
    conv_autoencoder, short_attack, images
):
    class Traced(keras.Model):
        traces = 0

        def train_step(self, batch):
            Traced.traces += 1
            return super().train_step(batch)

    model = conv_autoencoder(Traced)
    attack = short_attack(model)
    data = AugmentedDataset(images, batch_size=16)
    callback = UAECallback(data, attack, phase_epochs=2, batch_size=10)
    traces = []
    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: traces.append(Traced.traces)
    )
    history = model.fit(data, epochs=8, callbacks=[callback, count], verbose=0).history

    assert [record.epoch for record in callback.history] == [2, 4, 6]
    assert [record.phase for record in callback.history] == [1, 2, 3]
    for record in callback.history:
        assert record.attacked == 24
        assert 0 < record.success_rate <= 1
        assert record.l2 > 0
        assert record.seconds > 0
    assert history["uae_phase"] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert math.isnan(history["uae_l2"][1])
    assert history["uae_l2"][2] == callback.history[0].l2
    assert attack.num_traces == 1
    assert traces == traces[:1] * 8


def test_examples_follow_the_current_model(conv_autoencoder, short_attack, images):
    model = conv_autoencoder()
    attack = short_attack(model)
    data = AugmentedDataset(images, batch_size=16)
    callback = UAECallback(data, attack, warmup_epochs=1, batch_size=10)
    model.fit(data, epochs=1, callbacks=[callback], verbose=0)
    expected = attack(images, batch_size=10)
    model.fit(data, epochs=1, callbacks=[callback], verbose=0)
    np.testing.assert_array_equal(data.active[0], expected.success)
    np.testing.assert_allclose(
        data.examples[0], expected.augmented(images), rtol=1e-5, atol=1e-6
    )


def test_swapped_slots_reach_the_model():
    data = AugmentedDataset(np.full((100, 4), 0.1), batch_size=16, target="clean")
    model = totals()
    callback = UAECallback(data, GaussianNoise(0.5), phase_epochs=1)
    history = model.fit(data, epochs=3, callbacks=[callback], verbose=0).history
    # Noise clipped at 0 has a positive mean, so the inputs grow and targets do not.
    assert history["inputs"][0] == pytest.approx(80, rel=1e-4)
    assert history["inputs"][1] > 110
    assert history["inputs"][2] > 110
    assert history["inputs"][2] != history["inputs"][1]
    assert history["targets"] == pytest.approx([80] * 3, rel=1e-4)
    assert model.traces == 1


def test_labels_and_weights_pass_through():
    labels = np.arange(100) / 100
    data = AugmentedDataset(
        np.full((100, 4), 0.1), labels, sample_weight=labels * 2, batch_size=16
    )
    callback = UAECallback(data, GaussianNoise(0.5), phase_epochs=1)
    history = totals().fit(data, epochs=2, callbacks=[callback], verbose=0).history
    assert history["targets"] == pytest.approx([99] * 2, rel=1e-4)
    assert history["weights"] == pytest.approx([198] * 2, rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"phase_epochs": 3}, [3, 6]),
        ({"phase_epochs": 3, "warmup_epochs": 1}, [1, 4, 7]),
        ({"phase_epochs": 3, "warmup_epochs": 5}, [5, 8]),
        ({"phase_epochs": 4, "warmup_epochs": 0}, [0, 4, 8]),
        ({"phase_epochs": 9}, []),
    ],
)
def test_phases_by_epochs(settings, expected):
    callback, _ = noise_run(9, **settings)
    assert [record.epoch for record in callback.history] == expected


@pytest.mark.parametrize(
    ("values", "settings", "expected"),
    [
        ([5, 4, 4, 4, 3, 2, 2, 2, 1], {}, [4, 8]),
        ([5, 4, 4, 4, 3, 2, 2, 2, 1], {"warmup_epochs": 3}, [3, 8]),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], {}, [3, 6]),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], {"monitor_mode": "max"}, []),
        ([math.nan] * 9, {}, [2, 4, 6, 8]),
    ],
)
def test_phases_by_plateau(values, settings, expected):
    callback, _ = noise_run(9, values=values, monitor="fake", patience=2, **settings)
    assert [record.epoch for record in callback.history] == expected


def test_a_later_fit_begins_with_what_is_due():
    data = AugmentedDataset(np.full((20, 2), 0.5))
    callback = UAECallback(data, GaussianNoise(0.1), phase_epochs=2)
    model = totals()
    for _ in range(3):
        history = model.fit(data, epochs=2, callbacks=[callback], verbose=0)
        assert len(history.epoch) == 2
    assert [record.epoch for record in callback.history] == [2, 4]


def test_replace_makes_all_copies_anew():
    callback, log = noise_run(6, phase_epochs=2, copies=2)
    assert callback.history[0].attacked == 40
    first, second = log.examples[2], log.examples[4]
    assert (first != second).all()
    assert (first[0] != first[1]).all()


def failed_run(failed):
    """A classifier that no change of a hundredth can confuse, and what it is given."""
    x, y = np.full((6, 2), 0.5, np.float32), np.arange(6) % 2
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    # Class 0 leads by 100, and by so much that it stays in the lead.
    model.layers[0].set_weights([np.eye(2), np.array([100.0, 0.0])])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss)
    data = AugmentedDataset(x, y)
    attack = PGDAttack(UntargetedMargin(model), epsilon=0.01, steps=2)
    callback = UAECallback(data, attack, 1, failed=failed, verbose=0)
    model.fit(data, epochs=2, callbacks=[callback], verbose=0)
    return callback, data


def test_failed_attacks_leave_the_sample_or_their_attempt():
    kept, data = failed_run("sample")
    # Samples of class 1 are misclassified as they are: their attack succeeds.
    assert kept.history[0].success_rate == 0.5
    np.testing.assert_array_equal(data.active[0], [0, 1] * 3)
    np.testing.assert_array_equal(data.examples[0][::2], data.x[::2])
    tried, data = failed_run("attempt")
    assert tried.history[0].success_rate == 0.5
    assert data.active.all()
    moved = np.abs(data.examples[0] - data.x).max(axis=1)
    np.testing.assert_allclose(moved, 0.01, rtol=1e-4)
    np.testing.assert_array_equal(data.y, [0, 1] * 3)


def test_accumulate_keeps_the_latest_phases_side_by_side():
    _, log = noise_run(8, phase_epochs=2, copies=2, mode="accumulate")
    counts = [active.sum(axis=1).tolist() for active in log.active[::2]]
    assert counts == [[0, 0], [20, 0], [20, 20], [20, 20]]
    np.testing.assert_array_equal(log.examples[4][0], log.examples[2][0])
    np.testing.assert_array_equal(log.examples[6][1], log.examples[4][1])
    assert (log.examples[6][0] != log.examples[4][0]).all()


def test_keep_attacks_only_samples_without_an_example():
    callback, log = noise_run(8, phase_epochs=2, fraction=0.6, mode="keep")
    assert [record.attacked for record in callback.history] == [12, 8, 0]
    kept = log.active[2][0]
    np.testing.assert_array_equal(log.examples[6][0][kept], log.examples[2][0][kept])
    assert math.isnan(callback.history[2].success_rate)


def test_a_fraction_is_drawn_anew_each_phase():
    callback, log = noise_run(6, phase_epochs=2, fraction=0.25)
    assert [record.attacked for record in callback.history] == [5, 5]
    assert log.active[2].sum() == 5
    assert log.active[4].sum() > 5
    again, _ = noise_run(6, phase_epochs=2, fraction=0.25)
    np.testing.assert_array_equal(again.data.examples, callback.data.examples)


def test_the_interrupted_phase_keeps_what_was_computed():
    class Interrupted(GaussianNoise):
        calls = 0

        def __call__(self, *arguments, **keywords):
            self.calls += 1
            if self.calls == 2:
                raise KeyboardInterrupt
            return super().__call__(*arguments, **keywords)

    data = AugmentedDataset(np.full((20, 2), 0.5))
    callback = UAECallback(data, Interrupted(0.1), phase_epochs=1, batch_size=1)
    model = totals()
    with pytest.raises(KeyboardInterrupt):
        model.fit(data, epochs=2, callbacks=[callback], verbose=0)
    assert data.active.sum() == 8
    assert callback.history == []
    model.fit(data, epochs=1, callbacks=[callback], verbose=0)
    assert data.active.all()
    assert [record.epoch for record in callback.history] == [1]


def test_an_attack_that_never_succeeds_leaves_the_samples(
    conv_autoencoder, short_attack, images
):
    model = conv_autoencoder()
    attack = short_attack(model)
    attack.criterion.kappa = 1e6
    data = AugmentedDataset(images)
    callback = UAECallback(data, attack, warmup_epochs=1)
    model.fit(data, epochs=1, callbacks=[callback], verbose=0)
    with pytest.warns(UserWarning, match="Phase 1: .* on none of 24 samples"):
        model.fit(data, epochs=1, callbacks=[callback], verbose=0)
    np.testing.assert_array_equal(data.examples[0], images)
    assert not data.active.any()
    assert callback.history[0].success_rate == 0


def test_fit_through_tf_data():
    data = AugmentedDataset(np.full((20, 2), 0.1), batch_size=8)
    callback = UAECallback(data, GaussianNoise(0.5), phase_epochs=1)
    history = totals().fit(
        data.as_tf_data(), epochs=2, shuffle=False, callbacks=[callback], verbose=0
    )
    assert history.history["inputs"][0] == pytest.approx(8, rel=1e-4)
    assert history.history["inputs"][1] > 9


@pytest.mark.parametrize(
    ("verbose", "expected"),
    [(0, ""), (1, "20/20"), (2, "Phase 1: 20 samples attacked, success rate 1.000")],
)
def test_verbosity(verbose, expected, capsys):
    data = AugmentedDataset(np.full((20, 2), 0.5))
    callback = UAECallback(data, GaussianNoise(0.1), 1, verbose=verbose)
    totals().fit(data, epochs=2, callbacks=[callback], verbose=0)
    printed = capsys.readouterr().out
    assert expected in printed
    assert bool(printed) == bool(verbose)


def test_an_attack_on_another_model_warns(conv_autoencoder, short_attack, images):
    data = AugmentedDataset(images)
    callback = UAECallback(data, short_attack(conv_autoencoder()), 1)
    model = conv_autoencoder()
    with pytest.warns(UserWarning, match="shares no weight with"):
        model.fit(data, epochs=2, callbacks=[callback], verbose=0)


def test_other_data_is_refused():
    data = AugmentedDataset(np.full((20, 2), 0.5))
    callback = UAECallback(data, GaussianNoise(0.1))
    model = totals()
    with pytest.raises(ValueError, match="Expected 1 batches per epoch"):
        model.fit(
            data.as_tf_data().repeat(),
            steps_per_epoch=3,
            shuffle=False,
            callbacks=[callback],
            verbose=0,
        )
    with pytest.raises(ValueError, match="Received other data: this epoch took no"):
        model.fit(data.x, data.x, callbacks=[callback], verbose=0)


def test_data_that_cannot_be_attacked_is_refused_before_training():
    data = AugmentedDataset(np.full((20, 2), 255.0))
    callback = UAECallback(data, GaussianNoise(0.1))
    with pytest.raises(ValueError, match="outside bounds"):
        totals().fit(data, epochs=1, callbacks=[callback], verbose=0)


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match=r"among the logs.*'inputs'.*'val_loss'"):
        noise_run(2, monitor="val_loss")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"data": np.zeros((3, 2))}, TypeError, "`data` must be the Augmented.*ndarr"),
        ({"fraction": 0}, ValueError, r"`fraction` must lie in \(0, 1\]. Received 0"),
        ({"fraction": 1.5}, ValueError, "`fraction` must lie in"),
        ({"mode": "append"}, ValueError, "`mode` must be one of.*'append'"),
        ({"failed": "skip"}, ValueError, "`failed` must be one of.*'skip'"),
        ({"phase_epochs": 0}, ValueError, "`phase_epochs` must be a whole number"),
        ({"warmup_epochs": -1}, ValueError, "`warmup_epochs` must be a whole number"),
        ({"patience": 0}, ValueError, "`patience` must be a whole number"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be a whole number"),
        ({"verbose": 3}, ValueError, "`verbose` must be one of"),
        ({"monitor_mode": "up"}, ValueError, "`monitor_mode` must be one of"),
    ],
)
def test_bad_arguments(settings, error, message):
    data = AugmentedDataset(np.full((3, 2), 0.5))
    with pytest.raises(error, match=message):
        UAECallback(**{"data": data, "attack": GaussianNoise(0.1), **settings})


def events_of(directory):
    tags = {}
    for path in directory.glob("uae/events*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                tags.setdefault(value.tag, []).append((event.step, value))
    return tags


@pytest.mark.parametrize(
    ("shape", "has_picture"),
    [((5, 4, 3), True), ((5, 4), True), ((16,), True), ((15,), False)],
)
def test_tensorboard(tmp_path, shape, has_picture):
    data = AugmentedDataset(np.random.default_rng(0).random((9, *shape)))
    callback = UAECallback(data, GaussianNoise(0.1), 1, log_dir=tmp_path, verbose=0)
    totals().fit(data, epochs=3, callbacks=[callback], verbose=0)
    tags = events_of(tmp_path)
    assert [step for step, _ in tags["uae/success_rate"]] == [1, 2]
    l2 = tf.make_ndarray(tags["uae/l2"][0][1].tensor)
    assert l2 == pytest.approx(callback.history[0].l2)
    pictures = tags.get("uae/sample, example, difference", [])
    assert len(pictures) == 2 * has_picture
    if has_picture:
        width, height = pictures[0][1].tensor.string_val[:2]
        rows, columns = shape[:2] if len(shape) > 1 else (4, 4)
        assert (int(width), int(height)) == (8 * columns, 3 * rows)
