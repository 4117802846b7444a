"""What the base class does for every attack: checks, batches, warnings, restarts."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from uae_tf import (
    GaussianMI,
    GaussianNoise,
    MinMaxAttack,
    PGDAttack,
    Reconstruction,
    UniformNoise,
)
from uae_tf.attacks import Attack
from uae_tf.attacks.attack import Outcome
from uae_tf.criteria import Criterion
from uae_tf.mine import Similarity

NAN_IN_TWO = np.full((7, 6), 0.5, np.float32)
NAN_IN_TWO[3, 2] = np.nan
NAN_IN_TWO[5, 0] = np.inf
HALF = np.full((7, 6), 0.5, np.float32)

BAD_SAMPLES = {
    "scalar": (np.float32(0.5), ValueError, r"one feature axis.*shape \(\)"),
    "one-sample": (HALF[0], ValueError, r"one feature axis.*\(6,\).*x\[None\]"),
    "empty": (HALF[:0], ValueError, r"`x` is empty.*\(0, 6\)"),
    "no-features": (HALF[:, :0], ValueError, r"`x` is empty.*\(7, 0\)"),
    "integers": (HALF.astype(int), TypeError, r"floating point.*int64.*/ 255"),
    "bytes": (HALF.astype(np.uint8), TypeError, r"floating point.*dtype uint8"),
    "strings": (np.full((7, 6), "a"), TypeError, r"floating point.*dtype <U1"),
    "nan": (NAN_IN_TWO, ValueError, r"2 of 7 samples, first in sample 3"),
    "too-large": (HALF * 510, ValueError, r"outside bounds=\(0.0, 1.0\).*to 255"),
    "too-small": (HALF - 1, ValueError, r"values from -0.5.*pass bounds"),
    "other-shape": (HALF[:, :5], ValueError, r"does not fit the model 'small'.*\(6,\)"),
    "other-rank": (HALF[..., None], ValueError, r"does not fit the model 'small'"),
}
BAD_CALLS = {
    "batch-size": ({"batch_size": 0}, r"`batch_size` must be at least 1.*=0"),
    "labels": ({"y": np.zeros(3)}, r"`x` and `y` must have the same length.*\(3,\)"),
    "scalar-label": ({"y": 3}, r"`x` and `y` must have the same length.*\(\)"),
    "ids": ({"sample_ids": [1, 2]}, r"`x` and `sample_ids`.*7 samples.*\(2,\)"),
    "float-ids": ({"sample_ids": np.arange(7) / 9}, "must be integers.*float64"),
}


@pytest.fixture
def attack(criterion):
    return UniformNoise(0.1, criterion)


@pytest.mark.parametrize("name", BAD_SAMPLES)
def test_samples_that_cannot_be_attacked(attack, name):
    x, error, message = BAD_SAMPLES[name]
    with pytest.raises(error, match=message):
        attack(x)
    assert attack.num_traces == 0


@pytest.mark.parametrize("name", BAD_CALLS)
def test_arguments_that_do_not_fit(attack, name):
    settings, message = BAD_CALLS[name]
    with pytest.raises(ValueError, match=message):
        attack(HALF, **settings)
    assert attack.num_traces == 0


@pytest.mark.parametrize("name", ["nan", "integers", "too-large", "other-shape"])
def test_bad_batches_of_a_dataset(attack, name):
    x, error, message = BAD_SAMPLES[name]
    with pytest.raises(error, match=message):
        attack(tf.data.Dataset.from_tensor_slices(x).batch(7))
    assert attack.num_traces == 0


def test_the_sample_of_a_later_batch_is_named(attack):
    dataset = tf.data.Dataset.from_tensor_slices(NAN_IN_TWO).batch(2)
    with pytest.raises(ValueError, match=r"1 of 2 samples, first in sample 3"):
        attack(dataset, batch_size=2)


def test_batches_done_before_a_bad_one_are_kept(attack):
    good = HALF[:4]
    stream = tf.data.Dataset.from_tensor_slices(np.concatenate([good, NAN_IN_TWO]))
    with pytest.raises(ValueError, match="first in sample 7") as caught:
        attack(stream.batch(4), batch_size=4)
    assert "first 4 samples" in caught.value.__notes__[0]
    expected = attack(good).examples
    assert attack.unfinished is None
    with pytest.raises(ValueError, match="first in sample 7"):
        attack(stream.batch(4), batch_size=4)
    np.testing.assert_array_equal(attack.unfinished.examples, expected)


def test_a_setting_that_is_compiled_is_not_changed_in_vain(attack):
    first = attack(HALF).examples
    for name in ("limit", "bounds", "criterion"):
        with pytest.raises(AttributeError, match=f"`{name}` is part of the compiled"):
            setattr(attack, name, getattr(attack, name))
    attack.seed = 1
    assert np.any(attack(HALF).examples != first)


def test_interrupting_keeps_what_is_done(attack):
    def stop(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attack(HALF, batch_size=2, progress=stop)
    assert len(attack.unfinished.examples) == 4


def test_unbuilt_models(x):
    attack = UniformNoise(0.1, Reconstruction(keras.Sequential([layers.Dense(6)])))
    with pytest.raises(ValueError, match="is not built"):
        attack(x)
    assert attack.num_traces == 0


def test_empty_datasets(attack, x):
    with pytest.raises(ValueError, match=r"empty tf\.data\.Dataset"):
        attack(tf.data.Dataset.from_tensor_slices(x).take(0).batch(2))


def test_labels_beside_a_dataset(attack, x):
    with pytest.raises(ValueError, match=r"`y` cannot be passed beside a tf\.data"):
        attack(tf.data.Dataset.from_tensor_slices(x).batch(2), np.zeros(7))


@pytest.mark.parametrize(
    "bounds", [(1.0, 0.0), (0.5, 0.5), (0.0, np.nan), (-np.inf, 1.0), (0.0, np.inf)]
)
def test_bounds_must_be_ordered_and_finite(bounds):
    with pytest.raises(ValueError, match=r"`bounds` must be \(low, high\).*finite"):
        GaussianNoise(0.1, bounds=bounds)


def test_restarts_must_be_positive(criterion):
    with pytest.raises(ValueError, match=r"`restarts` must be at least 1.*=0"):
        PGDAttack(criterion, restarts=0)


@pytest.mark.parametrize("bounds", [(0.0, 0.1), (-2.118, 2.64), (-1.0, 1 / 3)])
def test_data_on_the_bounds_can_be_attacked_again_and_again(bounds):
    generator = np.random.default_rng(0)
    x = generator.uniform(bounds[0] - 1, bounds[1] + 1, (20, 50)).astype(np.float32)
    x = x.clip(*bounds).astype(np.float32)
    attack = UniformNoise(1.0, bounds=bounds)
    for seed in range(3):
        x = attack(x, sample_ids=np.arange(20) + 20 * seed).examples
        assert x.min() >= np.float32(bounds[0])
        assert x.max() <= np.float32(bounds[1])


@pytest.mark.parametrize("elements", ["dict", "triple", "single"])
def test_elements_of_a_dataset_that_are_no_samples(attack, elements):
    parts = {"dict": {"image": HALF}, "triple": (HALF,) * 3, "single": (HALF,)}
    dataset = tf.data.Dataset.from_tensor_slices(parts[elements]).batch(3)
    message = r"yields batches of x or of \(x, y\).*structure .*TensorSpec"
    with pytest.raises(TypeError, match=message):
        attack(dataset)
    assert attack.num_traces == 0


def test_a_configuration_of_a_class_that_nobody_registered(model):
    class Own(Reconstruction):
        pass

    config = UniformNoise(0.1, Own(model)).get_config()
    with pytest.raises(ValueError, match=r"'Own' is not registered. Decorate its"):
        UniformNoise.from_config(config, model)


@pytest.mark.parametrize(
    "make", [PGDAttack, lambda criterion: MinMaxAttack(criterion, GaussianMI())]
)
def test_a_criterion_that_cannot_be_descended(model, x, make):
    class Rounded(Reconstruction):
        def loss(self, outputs, context):
            return super().loss(tf.round(outputs), context)

    criterion = Rounded(model)
    with pytest.raises(ValueError, match=r"Rounded.loss has no gradient.*argmax"):
        make(criterion)(x)
    # Noise needs none.
    assert np.isfinite(UniformNoise(0.1, criterion)(x).criterion).all()


def test_a_model_that_draws_is_attacked_the_same_way_each_time(x):
    class Noisy(layers.Layer):
        generator = keras.random.SeedGenerator(3)

        def call(self, x):
            return x + keras.random.normal(keras.ops.shape(x), seed=self.generator)

    model = keras.Sequential([keras.Input((6,)), Noisy(), layers.Dense(6)])
    attack = PGDAttack(Reconstruction(model), steps=5)
    first, again = attack(x, batch_size=4), attack(x, batch_size=4)
    np.testing.assert_array_equal(again.examples, first.examples)
    f, _ = attack.criterion.evaluate(x, first.examples, batch_size=4)
    np.testing.assert_allclose(f, first.criterion, atol=1e-5)


def test_ids_follow_the_samples_through_batches(shift):
    x = np.zeros((7, 2), np.float32)
    result = shift(x, batch_size=3)
    np.testing.assert_allclose(result.examples[:, 0], np.arange(7) / 100)
    ids = [50, 3, 9, 9, 1, 0, 20]
    result = shift(x, batch_size=3, sample_ids=ids)
    np.testing.assert_allclose(result.examples[:, 0], np.array(ids) / 100)
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(2)
    for source in (dataset, dataset.unbatch().batch(5)):
        result = shift(source, batch_size=3, sample_ids=ids)
        np.testing.assert_allclose(result.examples[:, 0], np.array(ids) / 100)
    assert shift.num_traces == 1


def test_ids_that_do_not_fit_a_dataset(shift):
    dataset = tf.data.Dataset.from_tensor_slices(np.zeros((7, 2), np.float32)).batch(3)
    with pytest.raises(ValueError, match=r"`sample_ids`.*3 samples.*\(1,\)"):
        shift(dataset, batch_size=3, sample_ids=[1, 2, 3, 4])
    with pytest.raises(ValueError, match="`sample_ids` must be integers"):
        shift(dataset, batch_size=3, sample_ids=np.arange(7.0))


@pytest.mark.parametrize("kind", [list, tf.constant, np.float16, np.asfortranarray])
def test_kinds_of_arrays(attack, x, kind):
    x = x.astype(np.float16).astype(np.float32)
    expected = attack(x)
    source = kind(x) if kind is not list else [row.astype(np.float32) for row in x]
    np.testing.assert_array_equal(attack(source).examples, expected.examples)


def test_batches_larger_than_the_data_are_not_padded(attack, x):
    attack(x, batch_size=1000)
    attack(x, batch_size=7)
    assert attack.num_traces == 1


def test_progress_is_reported(shift, capsys):
    calls = []
    x = np.zeros((7, 2), np.float32)
    shift(x, batch_size=3, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(3, 7), (6, 7), (7, 7)]
    calls.clear()
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(3)
    shift(dataset, batch_size=3, progress=lambda *call: calls.append(call))
    assert calls == [(3, None), (6, None), (7, None)]
    assert capsys.readouterr() == ("", "")
    shift(x, progress=True)
    assert "7/7" in capsys.readouterr().err


class Attempt(Attack):
    """Outcomes from a table: one column for each restart."""

    table = None

    def perturb(self, x, y, seeds, trace):
        run = (seeds[0, 0] - self.seed) // 1_000_003
        rows = tf.gather(tf.constant(self.table, tf.float32), run)
        success, similarity, criterion, is_finite = tf.unstack(rows, axis=1)
        examples = x + 0.1 * tf.cast(run + 1, tf.float32)
        found = success > 0, similarity, criterion, is_finite > 0
        both = tf.stack([criterion, similarity])
        return Outcome(examples, *found, {"both": both} if trace else {})


class Alike(Criterion):
    """Wants examples that look like x."""

    maximizes_similarity = True


@pytest.mark.parametrize("is_alike", [False, True])
def test_the_best_restart_is_kept_for_each_sample(model, is_alike):
    nan = np.nan
    # (success, similarity, criterion, is_finite) of five samples in two restarts.
    first = [
        (1, 2.0, -1.0, 1),  # both succeed, the second with less similarity
        (1, 1.0, -1.0, 1),  # both succeed, the first with less similarity
        (0, 0.1, 0.5, 1),  # only the second succeeds
        (0, 2.0, 0.3, 1),  # both fail, the first by less
        (0, nan, nan, 0),  # the first gave NaN
    ]
    second = [
        (1, 1.0, -0.1, 1),
        (1, 2.0, -2.0, 1),
        (1, 5.0, -0.1, 1),
        (0, 1.0, 0.4, 1),
        (0, 1.0, 0.7, 1),
    ]
    attack = Attempt(Alike(model) if is_alike else None, restarts=2)
    attack.table = [first, second]
    result = attack(np.zeros((5, 6), np.float32), trace=True)
    kept = np.round(result.examples[:, 0] * 10).astype(int)
    # Of two successes the less similar, or the more similar, is the better one.
    expected = [1, 2, 2, 1, 2] if is_alike else [2, 1, 2, 1, 2]
    assert kept.tolist() == expected
    rows = np.float32([first, second])[np.array(expected) - 1, np.arange(5)]
    np.testing.assert_array_equal(result.similarity, rows[:, 1])
    np.testing.assert_array_equal(result.criterion, rows[:, 2])
    np.testing.assert_array_equal(result.trace["both"], rows[:, [2, 1]].T)
    assert result.is_finite.all()
    np.testing.assert_allclose(result.linf, kept / 10, rtol=1e-6)


def falling(values, limit):
    """Minus the sum of each row; NaN above the limit."""
    return tf.where(values[:, 0] > limit, np.nan, -tf.reduce_sum(values, axis=1))


class BrittleLoss(Criterion):
    limit = 0.75

    def loss(self, outputs, context):
        return falling(outputs, self.limit)


class BrittleSimilarity(Similarity):
    limit = 0.75

    def value(self, state, features):
        return falling(features, self.limit)


@pytest.mark.parametrize("kind", ["pgd", "loss", "similarity"])
def test_a_nan_after_a_success_makes_a_failure_of_it(kind):
    model = keras.Sequential([keras.Input((6,)), layers.Identity()])
    criterion, similarity = BrittleLoss(model, kappa=-1.0), BrittleSimilarity()
    settings = {"steps": 4, "step_size": 0.1}
    if kind == "pgd":
        attack = PGDAttack(criterion, epsilon=0.9, random_start=False, **settings)
    else:
        (similarity if kind == "loss" else criterion).limit = np.inf
        attack = MinMaxAttack(criterion, similarity, initial_noise=0.0, **settings)
    # By 0.1 a step: the first is 0.8 after three of them, and was 0.7 before.
    result = attack(np.float32([[0.5] * 6, [0.1] * 6]))
    assert result.is_finite.tolist() == result.success.tolist() == [False, True]
    np.testing.assert_allclose(result.examples[:, 0], [0.7, 0.5], rtol=1e-5)


def test_one_warning_where_no_sample_moved(criterion, x):
    attack = PGDAttack(criterion, steps=1, step_size=0.0, random_start=False)
    with pytest.warns(UserWarning, match="moved no sample.*start noise") as warned:
        attack(x, batch_size=2)
    assert len(warned) == 1
    assert warned[0].filename == __file__


def test_one_warning_where_no_sample_succeeded(model, x):
    attack = UniformNoise(0.1, Reconstruction(model, kappa=100.0))
    with pytest.warns(UserWarning, match="succeeded on no sample") as warned:
        result = attack(x, batch_size=2)
    assert len(warned) == 1
    assert result.success_rate == 0.0
    np.testing.assert_array_equal(result.augmented(x), x)


def test_an_attack_without_perturb_says_so(x):
    with pytest.raises(NotImplementedError, match="Attack must override `perturb`"):
        Attack(None)(x)


def test_first_calls_of_many_attacks_are_not_taken_for_retracing(
    model, x, caplog, monkeypatch
):
    monkeypatch.setattr(tf.get_logger(), "propagate", True)
    for _ in range(6):
        attack = GaussianNoise(0.1, Reconstruction(model))
        attack.criterion.evaluate(x, attack(x).examples)
    assert "retracing" not in caplog.text
