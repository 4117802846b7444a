"""The comparison on somebody's own model and data."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import uae_tf
from uae_tf.experiments.model_digest import model_digest

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


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": X[:30] * 0.5}, "data_sha256"),
        ({"x_test": X[30:] * 0.5}, "data_sha256"),
        ({"batch_size": 9}, "batch_size: saved 8, requested 9"),
    ],
)
def test_a_run_does_not_go_on_with_other_data(comparison, changed, message):
    arguments = {"x_train": X[:30], "x_test": X[30:], "batch_size": 8, "arms": ARMS}
    with pytest.raises(ValueError, match=message):
        uae_tf.compare(
            factory,
            **{**arguments, **changed},
            out=comparison.folder,
            resume=True,
            **SETTINGS,
        )


def made(activation="sigmoid", rate=0.01, loss="mse"):
    """A factory that leaves names to Keras, which numbers them on."""

    def factory():
        inputs = keras.Input((6,))
        outputs = keras.layers.Dense(6, activation)(keras.layers.Dense(6)(inputs))
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.Adam(rate), loss)
        return model

    return factory


class Subclassed(keras.Model):
    """Has no config of its own, and a loss that has none either."""

    def __init__(self, dense):
        super().__init__()
        self.dense = dense

    def call(self, x):
        return self.dense(x)


def subclassed(rate=0.01, units=6):
    model = Subclassed(keras.layers.Dense(units))
    model(X[:1])
    model.compile(keras.optimizers.Adam(rate), lambda y, z: (y - z) ** 2)
    return model


def test_a_digest_tells_models_apart_but_not_calls():
    digest = model_digest(made()())
    assert digest == model_digest(made()())
    others = made("linear"), made(rate=0.5), made(loss="mae"), factory, subclassed
    assert len({digest, *(model_digest(other()) for other in others)}) == 6
    assert model_digest(subclassed()) == model_digest(subclassed())
    assert model_digest(subclassed()) != model_digest(subclassed(rate=0.5))
    assert model_digest(subclassed()) != model_digest(subclassed(units=5))


def test_a_run_goes_on_with_the_same_model_alone(tmp_path, instant_training):
    def run(model_factory, arms, **more):
        return uae_tf.compare(
            model_factory, X[:30], X[30:], out=tmp_path, seeds=1, arms=arms, **more
        )

    begun = run(made(), ("original",)).test_errors
    for other in (made("linear"), made(rate=0.5)):
        with pytest.raises(ValueError, match="model_sha256"):
            run(other, ("original", "duplicated"), resume=True)
    trainings = len(instant_training)
    found = run(made(), ("original", "gaussian_0.01"), resume=True).test_errors
    assert found["original"] == begun["original"]
    # The original, which noise is measured with, is found again.
    assert len(instant_training) == trainings + 1


def test_an_interrupted_comparison_says_so(tmp_path, interrupt, instant_training):
    interrupt(2)
    arms = ("original", "duplicated")
    found = uae_tf.compare(factory, X[:30], X[30:], out=tmp_path, seeds=1, arms=arms)
    assert "Interrupted. Go on with the same call and resume=True." in str(found)
    interrupt(0)
    again = uae_tf.compare(
        factory, X[:30], X[30:], out=tmp_path, seeds=1, arms=arms, resume=True
    )
    assert "Interrupted" not in str(again)


def test_a_factory_must_build_its_model_anew(tmp_path):
    model, layer = factory(), keras.layers.Dense(6)

    def same():
        model.compile("sgd", "mse")
        return model

    def same_layer():
        new = keras.Sequential([keras.Input((6,)), layer])
        new.compile("sgd", "mse")
        return new

    for wrong in (same, same_layer):
        with pytest.raises(ValueError, match="must return a new model at every call"):
            uae_tf.compare(wrong, X[:30], X[30:], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": (X, X)}, r"`x_train` must be one array.*\(N, .*Received: tuple"),
        ({"x_test": [X[0], X[0, :3]]}, "`x_test` must be one array.*list"),
        (
            {"x_train": tf.data.Dataset.from_tensors(X)},
            "`x_train` must .*tf.data.Dataset",
        ),
        ({"samples": 5}, "`samples` chooses among data sets.*samples=5"),
        ({"dataset": "mnist"}, "`dataset` chooses among data sets"),
        ({"data_dir": "/data"}, "`data_dir` chooses among data sets"),
        ({"model_factory": factory()}, "`model_factory` must be a function.*<Seq"),
        ({"model_factory": None}, "`model_factory` must be a function"),
    ],
)
def test_what_is_no_array_of_samples_is_named(tmp_path, changed, message):
    arguments = {"model_factory": factory, "x_train": X, "x_test": X[:5]}
    with pytest.raises(TypeError, match=message):
        uae_tf.compare(**{**arguments, "out": tmp_path / "run", **changed})


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
        ({"views": "convolution"}, "needs a convolution layer .* has no convolution"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(tmp_path, changed, message):
    arguments = {"model_factory": factory, "x_train": X, "x_test": X[:5]}
    with pytest.raises(ValueError, match=message):
        uae_tf.compare(**{**arguments, "out": tmp_path / "run", **changed})
    assert not (tmp_path / "run").exists()
