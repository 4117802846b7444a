import numpy as np
import pytest
import tensorflow as tf

from uae_tf import datasets
from uae_tf.attacks import MinMaxAttack
from uae_tf.criteria import Reconstruction
from uae_tf.evaluation import perturbation_sizes
from uae_tf.experiments import seed_run
from uae_tf.experiments.augmenters import UAE_ARMS, Augmenter, conventional_copy
from uae_tf.experiments.pictures import Pictures
from uae_tf.experiments.seed_run import ReconstructionBench, SeedRun
from uae_tf.experiments.selection_pictures import SelectionPictures
from uae_tf.experiments.settings import ReconstructionSettings
from uae_tf.mine import MINE, GaussianMI, L2Similarity
from uae_tf.models import build
from uae_tf.ops import per_sample_seeds

from .conftest import Silence


def make_run(tmp_path, **settings):
    settings = {"samples": 40, "epochs": 1, "steps": 2, **settings}
    settings = ReconstructionSettings(similarity="gaussian", **settings)
    # Whoever looks at the test split finds out.
    data = datasets.load("digits", samples=settings.samples)
    data.x_test[:] = np.nan
    return SeedRun(ReconstructionBench(settings, data), 0, tmp_path, Silence())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("originals"))


@pytest.fixture(scope="module")
def examples(run):
    return run.copies("mine_uae")[0]


def augment(run, arm, **arguments):
    return run.bench.augmenter(arm, run.x, draw=0, **arguments)


def test_examples_are_judged_by_the_weights_of_the_stored_original(run, examples):
    measured = run._measure_copies("mine_uae", [examples])
    model = build("dense", (8, 8, 1), "modern")
    with np.load(run.cache / "original-dense-0.npz") as file:
        model.set_weights([file[name] for name in file.files])
    f, baseline = Reconstruction(model).evaluate(run.x, examples)
    moved = np.any(examples != run.x, axis=(1, 2, 3))
    assert 0.0 < measured["success_rate"] < 1.0
    assert measured["success_rate"] == np.mean((f <= 1e-6 * baseline) & moved)
    change = np.mean(f / baseline)
    assert measured["relative_loss_change"] == pytest.approx(change, rel=1e-5)
    # For the histogram a failure, which is the sample itself, has no change.
    changes = np.where(moved, f / baseline, np.nan)
    np.testing.assert_allclose(run.changes["mine_uae"], changes, rtol=1e-5)
    delta = (examples - run.x).reshape(40, -1)
    l2 = np.linalg.norm(delta, axis=1).mean()
    assert measured["l2"] == pytest.approx(l2, rel=1e-5)


def test_the_histogram_shows_every_copy_of_a_sample(run, examples):
    noisy = np.clip(run.x + 0.3, 0.0, 1.0).astype("float32")
    alone = []
    for copies in ([noisy], [examples]):
        run._measure_copies("conventional", copies)
        alone.append(run.changes["conventional"])
    run._measure_copies("conventional_mine_uae", [noisy, examples])
    both = run.changes["conventional_mine_uae"].reshape(40, 2)
    np.testing.assert_allclose(both, np.stack(alone, axis=1), rtol=1e-6)


def test_failures_are_replaced_by_their_samples(run, examples):
    run.bench.augmenter.model.set_weights(run.original("dense"))
    result = augment(run, "mine_uae")
    np.testing.assert_array_equal(result.augmented(run.x), examples)
    assert 0.0 < result.success_rate < 1.0


def test_matched_noise_is_as_large_as_the_uae_of_each_sample(run, examples):
    (noisy,) = run._arm_copies("matched_noise", None)
    wanted = perturbation_sizes(run.x, examples)["l2"]
    found = perturbation_sizes(run.x, noisy)["l2"]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6)
    assert wanted.min() == 0.0 < wanted.max()
    moved = wanted > 0.0
    assert np.any(noisy != examples, axis=(1, 2, 3))[moved].all()


@pytest.mark.parametrize("preset", ["default", "published", "strong", "paper"])
def test_start_noise_is_where_the_attack_starts(run, preset):
    settings = ReconstructionSettings(preset=preset)
    augmenter = Augmenter(run.bench.augmenter.criterion, settings)
    noisy = augmenter("start_noise", run.x, draw=3).examples
    ids = np.arange(40) + 3 * 40
    attack = augmenter._minmax(None)
    seeds = per_sample_seeds(attack.seed, tf.constant(ids))
    start = attack.start_noise(tf.constant(run.x), seeds)
    # Without start noise, the smallest noise that is one stands in.
    tolerance = 2e-6 if preset == "paper" else 1e-6
    np.testing.assert_allclose(noisy, run.x + start, atol=tolerance)


@pytest.mark.parametrize(
    ("arm", "stddev"), [("gaussian_0.01", 0.01), ("gaussian_0.001", 0.001)]
)
def test_gaussian_noise_has_the_size_in_its_name(run, arm, stddev):
    noise = augment(run, arm).examples - run.x
    inside = (run.x > 0.1) & (run.x < 0.9)
    assert np.std(noise[inside]) == pytest.approx(stddev, rel=0.1)


def test_other_draws_give_other_noise(run):
    one, other = (
        run.bench.augmenter("gaussian_0.01", run.x, draw).examples for draw in (0, 1)
    )
    assert np.any(one != other, axis=(1, 2, 3)).all()


def test_every_seed_round_and_copy_draws_for_itself(tmp_path):
    bench = make_run(tmp_path, copies=2, rounds=2).bench
    runs = [SeedRun(bench, seed, tmp_path, Silence()) for seed in range(3)]
    assert len({run._draw(index) for run in runs for index in range(4)}) == 12


def test_every_sigma_that_is_tried_has_noise_of_its_own(run):
    sizes = [
        np.abs(augment(run, "gaussian_tuned", stddev=stddev).examples - run.x).mean()
        for stddev in (0.05, 0.2)
    ]
    assert sizes[1] > 2.0 * sizes[0]


def test_attacks_have_the_settings_of_the_experiment(run):
    settings = ReconstructionSettings(
        steps=7, similarity_weight=0.5, similarity="gaussian"
    )
    augmenter = Augmenter(run.bench.augmenter.criterion, settings)
    attacks = {arm: augmenter._make(arm, None, (8, 8, 1)) for arm in UAE_ARMS}
    kinds = [type(attack.similarity) for attack in attacks.values()]
    assert kinds == [type(None), L2Similarity, GaussianMI]
    for attack in attacks.values():
        assert (attack.steps, attack.similarity_weight) == (7, 0.5)


def test_examples_are_made_and_judged_by_the_norm_of_the_settings(tmp_path):
    bench = make_run(tmp_path, norm="squared").bench
    assert bench.judge.norm == bench.augmenter.criterion.norm == "squared"


def test_a_transfer_attacks_one_kind_and_is_judged_by_the_other(tmp_path, monkeypatch):
    run = make_run(tmp_path, source_model="sparse")
    models = {"dense": run.bench.judge.model, "sparse": run.bench.augmenter.model}
    asked = []

    def original(kind):
        asked.append(kind)
        return models[kind].get_weights()

    monkeypatch.setattr(run, "original", original)
    run._measure_copies("mine_uae", run._attack("mine_uae"))
    assert asked == ["sparse", "dense"]


def test_an_arm_without_examples_is_refused(run):
    with pytest.raises(ValueError, match="'duplicated' adds no examples"):
        augment(run, "duplicated")


def test_sigma_is_chosen_on_held_out_training_samples(tmp_path, monkeypatch):
    run = make_run(tmp_path)
    judged, fitted = [], []

    def train(kind, copies, updates, label, x=None):
        fitted.append((x, copies, updates))
        return run.bench.judge.model.get_weights()

    def errors(model, x):
        judged.append(x)
        return np.arange(len(x), dtype=float)

    monkeypatch.setattr(run, "_train", train)
    monkeypatch.setattr(seed_run, "reconstruction_errors", errors)
    monkeypatch.setattr(seed_run, "STDDEVS", (0.1, 0.3))
    assert run.tune() == {"0.1": 1.5, "0.3": 1.5}
    assert len(judged) == len(fitted) == 2
    for held_out, (x, (copy,), updates) in zip(judged, fitted, strict=True):
        both = np.concatenate([x, held_out]).reshape(40, -1)
        original = run.x.reshape(40, -1)
        assert sorted(map(tuple, both)) == sorted(map(tuple, original))
        assert len(held_out) == 4
        # The copies are of the fitted samples alone.
        assert copy.shape == x.shape
        assert updates == 1


def test_a_diverged_original_leaves_every_sample_as_it_is(tmp_path, monkeypatch):
    run = make_run(tmp_path)
    weights = [np.full_like(w, np.nan) for w in run.bench.judge.model.get_weights()]
    monkeypatch.setattr(run, "_train", lambda *_: weights)
    with pytest.warns(UserWarning, match="NaN or infinite numbers for every"):
        numbers = run.run("mine_uae")
    assert numbers["success_rate"] == 0.0
    assert numbers["l2"] == 0.0


IMAGES = np.random.default_rng(0).uniform(size=(50, 9, 9, 1)).astype("float32")


def test_flips_mirror_half_of_the_images():
    copy = conventional_copy(IMAGES, ("flip",), seed=1)
    mirrored = np.all(copy == IMAGES[:, :, ::-1], axis=(1, 2, 3))
    same = np.all(copy == IMAGES, axis=(1, 2, 3))
    assert np.all(mirrored != same)
    assert 10 < mirrored.sum() < 40


def test_rotations_do_not_follow_from_flips():
    # A bar above the centre: its centre of mass tells the way it turned.
    bars = np.zeros((60, 15, 15, 1), "float32")
    bars[:, :4, 7] = 1.0
    bars[:, -2, 1] = 1.0
    copy = conventional_copy(bars, ("flip", "rotation"), seed=1)
    is_flipped = copy[:, -5:, -5:].sum(axis=(1, 2, 3)) > 0.5
    top = copy[:, :5, :, 0]
    to_the_right = (top * (np.arange(15) - 7)).sum(axis=(1, 2)) > 0.0
    agreement = np.mean(is_flipped == to_the_right)
    assert 0.2 < agreement < 0.8


def test_rotations_reach_fifteen_degrees_either_way():
    # From the centre up: where its mass is tells the angle.
    bars = np.zeros((60, 31, 31, 1), "float32")
    bars[:, :15, 15] = 1.0
    copy = conventional_copy(bars, ("rotation",), seed=1)[..., 0]
    places = np.arange(31) - 15
    right, down = ((copy * p).sum(axis=(1, 2)) for p in (places, places[:, None]))
    angles = np.degrees(np.arctan2(right, -down))
    assert -16.0 < angles.min() < -12.0
    assert 12.0 < angles.max() < 16.0


def test_conventional_noise_is_weak():
    grey = np.full((50, 9, 9, 1), 0.5, "float32")
    copy = conventional_copy(grey, ("noise",), seed=1)
    assert np.std(copy - grey) == pytest.approx(0.01, rel=0.1)


def test_conventional_copies_repeat_and_stay_in_the_box():
    kinds = ("flip", "rotation", "noise")
    copy = conventional_copy(IMAGES, kinds, seed=4)
    np.testing.assert_array_equal(copy, conventional_copy(IMAGES, kinds, seed=4))
    assert np.any(copy != conventional_copy(IMAGES, kinds, seed=5))
    assert copy.shape == IMAGES.shape
    assert copy.dtype == np.float32
    assert 0.0 <= copy.min() < copy.max() <= 1.0


def test_vectors_cannot_be_flipped():
    with pytest.raises(ValueError, match=r"need images .*\(50, 81\)"):
        conventional_copy(IMAGES.reshape(50, 81), ("flip",), seed=0)


def test_the_estimator_has_the_views_and_the_bound_of_the_settings():
    criterion = Reconstruction(build("dense", (8, 8, 1), "modern"))
    x = datasets.load("digits", samples=8).x_train
    settings = ReconstructionSettings(steps=3, views="compressive", bound="nwj")
    found = Augmenter(criterion, settings)("mine_uae", x, draw=0)
    # Compiled no more than those of the settings are here.
    mine = MINE(views="compressive", bound="nwj", jit_compile=False)
    by_hand = MinMaxAttack.from_preset("strong", criterion, mine, steps=3)(x)
    np.testing.assert_array_equal(found.similarity, by_hand.similarity)
    default = Augmenter(criterion, ReconstructionSettings(steps=3))
    assert not np.array_equal(
        found.similarity, default("mine_uae", x, draw=0).similarity
    )


def test_the_trace_of_another_seed_is_of_its_own_examples(tmp_path, monkeypatch):
    monkeypatch.setattr(Pictures, "traced", 4)
    bench = make_run(tmp_path).bench
    run = SeedRun(bench, 2, tmp_path, Silence())
    bench.augmenter.model.set_weights(run.original(bench.kind))
    found = bench.augmenter("mine_uae", run.x, draw=2)
    run.copies("mine_uae")
    pictures = Pictures(tmp_path / "figures.npz")
    pictures.collect(run, "mine_uae")
    # What an attack returns is one of its iterates.
    traced = pictures.arrays["trace/criterion"]
    distances = np.abs(traced - found.criterion[:4]).min(axis=0)
    np.testing.assert_allclose(distances, 0.0, atol=1e-5)
    assert np.ptp(traced[0] - found.criterion[:4]) > 1e-3


def test_pictures_of_arms_that_are_left_out_are_not_shown(tmp_path):
    pictures = Pictures(tmp_path / "figures.npz")
    pictures.arrays = {
        "change/start_noise": np.array([0.1, -0.1]),
        "change/mine_uae": np.array([-0.2, 0.3]),
        "trace/criterion": np.ones((2, 2)),
        "gallery/x": np.ones((1, 8, 8, 1)),
    }
    rows = [{"arm": "start_noise"}]
    figures = pictures.figures(rows)
    assert list(figures) == ["histogram"]
    assert len(figures["histogram"].axes) == 1
    pixels = SelectionPictures(tmp_path / "selection.npz")
    pixels.arrays = {
        "mean_image": np.ones((8, 8, 1)),
        "selected/start_noise": np.array([0, 9]),
        "selected/mine_uae": np.array([1, 8]),
    }
    assert len(pixels.figures(rows)["selection"].axes) == 1
