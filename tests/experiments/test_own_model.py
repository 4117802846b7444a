"""The comparison on somebody's own model and data."""

import keras
import numpy as np
import pytest

import uae_tf

X = np.random.default_rng(0).uniform(size=(40, 6)).astype(np.float32)
ARMS = ("original", "duplicated", "criterion_only", "mine_uae")
SETTINGS = {"similarity": "gaussian", "steps": 3, "seeds": 2, "epochs": 2}


def factory():
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(6, "sigmoid")], name="own"
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    out = tmp_path_factory.mktemp("compare")
    return uae_tf.compare(
        factory, X[:30], X[30:], batch_size=8, arms=ARMS, out=out, **SETTINGS
    )


def test_every_arm_is_measured_for_as_many_updates(comparison):
    assert set(comparison.test_errors) == set(ARMS)
    assert all(len(values) == 2 for values in comparison.test_errors.values())
    updates = {row["updates"] for row in comparison.results["rows"]}
    assert updates == {2 * 8}


def test_the_original_is_the_model_that_retrain_gives(comparison):
    duplicated = uae_tf.retrain(
        factory, np.concatenate([X[:30]] * 2), updates=16, batch_size=8, seed=1
    )
    error = np.mean((duplicated.model.predict(X[30:], verbose=0) - X[30:]) ** 2)
    received = comparison.test_errors["duplicated"][1]
    assert received == pytest.approx(error, rel=1e-5)


def test_report_and_words_tell_the_verdict(comparison):
    assert "mine_uae" in comparison.verdict
    assert comparison.report.exists()
    assert "your data" in comparison.report.read_text(encoding="utf-8")
    text = str(comparison)
    assert all(arm in text for arm in ARMS)


@pytest.mark.slow
def test_a_finished_run_is_taken_up_with_more_seeds(comparison):
    settings = SETTINGS | {"seeds": 3}
    longer = uae_tf.compare(
        factory,
        X[:30],
        X[30:],
        batch_size=8,
        arms=ARMS,
        out=comparison.folder,
        resume=True,
        **settings,
    )
    for arm, errors in comparison.test_errors.items():
        assert longer.test_errors[arm][:2] == errors
        assert len(longer.test_errors[arm]) == 3


def test_a_run_does_not_go_on_with_other_data(comparison):
    arguments = {"batch_size": 8, "arms": ARMS, "resume": True, **SETTINGS}
    with pytest.raises(ValueError, match="data_sha256"):
        uae_tf.compare(
            factory, X[:30] * 0.5, X[30:], out=comparison.folder, **arguments
        )


def unbuilt():
    model = keras.Sequential([keras.layers.Dense(6)])
    model.compile("adam", "mse")
    return model


def narrow():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model_factory": unbuilt}, "`model_factory` must return a built"),
        ({"model_factory": narrow}, "output fits its input"),
        ({"x_train": X * 255}, "`x_train` has values outside.*on the same scale.$"),
        ({"x_test": X[:0]}, "`x_test` is empty"),
        ({"batch_size": 0}, "`batch_size` must be a whole number"),
        ({"arms": ("original", "magic")}, "`arms` must be one of"),
        ({"epochs": 0}, "`epochs` must be a whole number"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(tmp_path, changed, message):
    arguments = {"model_factory": factory, "x_train": X, "x_test": X[:5]}
    with pytest.raises(ValueError, match=message):
        uae_tf.compare(**{**arguments, "out": tmp_path / "run", **changed})
    assert not (tmp_path / "run").exists()
