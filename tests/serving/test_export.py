import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import uae_tf
from uae_tf.files import to_plain

from .conftest import signature_defs

X = np.random.default_rng(0).random((4, 8)).astype(np.float32)
X8 = np.random.default_rng(1).integers(0, 256, (4, 8), dtype=np.uint8)


def dense(**settings):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8,)), keras.layers.Dense(8, "sigmoid", **settings)]
    return keras.Sequential(layers, name="dense")


def signatures(path):
    """Signatures that keep their variables alive."""
    loaded = tf.saved_model.load(str(path))
    return {
        name: lambda _loaded=loaded, _f=function, **inputs: {
            key: value.numpy()
            for key, value in _f(
                **{key: tf.constant(array) for key, array in inputs.items()}
            ).items()
        }
        for name, function in loaded.signatures.items()
    }


class Subclassed(keras.Model):
    """As many tutorials write an autoencoder."""

    def __init__(self):
        super().__init__(name="mine")
        dropout = keras.layers.Dropout(0.5)  # Not in what is asked.
        self.encoder = keras.Sequential([keras.layers.Dense(3, "relu"), dropout])
        self.decoder = keras.layers.Dense(8)

    def call(self, x, training=False):
        return self.decoder(self.encoder(x, training=training))


def test_a_subclassed_model_is_exported_with_its_encoder(tmp_path):
    keras.utils.set_random_seed(0)
    model = Subclassed()
    model(X)
    path = uae_tf.export(model, tmp_path)
    assert path == tmp_path / "mine" / "1"
    ask = signatures(path)
    assert sorted(ask) == sorted(
        name + form
        for name in ("serving_default", "encode", "score")
        for form in ("", "_uint8")
    )
    code = ask["encode"](x=X)["code"]
    np.testing.assert_allclose(code, model.encoder(X), atol=1e-6)
    answer = ask["serving_default"](x=X)["reconstruction"]
    np.testing.assert_allclose(answer, model(X), atol=1e-6)
    error = np.linalg.norm(X - model(X), axis=1)
    np.testing.assert_allclose(ask["score"](x=X)["score"], error, atol=1e-6)
    scaled = ask["score"](x=(X8 / 255).astype(np.float32))
    score = ask["score_uint8"](x=X8)["score"]
    np.testing.assert_allclose(score, scaled["score"], atol=1e-6)


def test_what_a_model_gives_is_named_after_what_it_is(tmp_path):
    x = keras.Input((8,))
    hidden = keras.layers.Dense(2)(x)
    cases = {
        "embedding": (hidden, {"output"}),
        "several": ([hidden, x], {"output_0", "output_1"}),
        "named": ({"code": hidden, "sum": keras.ops.sum(x, 1)}, {"code", "sum"}),
    }
    for name, (outputs, expected) in cases.items():
        path = uae_tf.export(keras.Model(x, outputs), tmp_path, name=name)
        found = signature_defs(path)
        assert set(found["serving_default"].outputs) == expected
        # Without a criterion there is nothing to score by.
        assert "score" not in found
    names = (tmp_path / "models.config").read_text()
    assert all(f'"/models/{name}"' in names for name in cases)


def test_an_encoder_can_be_given_and_images_may_have_any_size(tmp_path):
    keras.utils.set_random_seed(0)
    x = keras.Input((None, None, 1))
    code = keras.layers.Conv2D(2, 3, padding="same")(x)
    model = keras.Model(x, keras.layers.Conv2D(1, 3, padding="same")(code))
    path = uae_tf.export(model, tmp_path, name="any", encoder=keras.Model(x, code))
    ask = signatures(path)
    for size in (4, 6):
        images = np.ones((2, size, 5, 1), np.float32)
        assert ask["encode"](x=images)["code"].shape == (2, size, 5, 2)
        assert ask["score"](x=images)["score"].shape == (2,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="any, any, 1"):
        ask["score"](x=np.ones((2, 4, 5, 3), np.float32))


def test_mixed_precision_answers_in_float32(tmp_path):
    path = uae_tf.export(dense(dtype="mixed_float16"), tmp_path)
    answer = signatures(path)["serving_default"](x=X)["reconstruction"]
    assert answer.dtype == np.float32


def small_mine(jit_compile=False, critic="collapsed"):
    return uae_tf.MINE(
        inner_steps=2,
        warmup_steps=3,
        num_projections=8,
        jit_compile=jit_compile,
        critic=critic,
    )


def convolutional():
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((4, 4, 1)),
        keras.layers.Conv2D(3, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ]
    return keras.Sequential(layers, name="conv")


ATTACKS = {
    "gaussian": lambda c: uae_tf.MinMaxAttack(
        c, uae_tf.GaussianMI(), steps=3, restarts=3, initial_noise=0.4, seed=5
    ),
    "l2": lambda c: uae_tf.MinMaxAttack(c, uae_tf.L2Similarity(), steps=2),
    "criterion": lambda c: uae_tf.MinMaxAttack(c, None, steps=2),
    "pgd": lambda c: uae_tf.PGDAttack(c, steps=2, bounds=(-1.0, 2.0)),
    "noise": lambda c: uae_tf.GaussianNoise(0.1, c),
}
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "kind",
    [pytest.param("deep", marks=pytest.mark.slow), *sorted({*ATTACKS} - {"deep"})],
)
def test_the_exported_attack_is_the_attack(tmp_path, kind):
    model, x = dense(), X
    if kind == "deep":
        model, x = convolutional(), np.resize(X, (4, 4, 4, 1))
        mine = small_mine(critic="deep")
        attack = uae_tf.MinMaxAttack(uae_tf.Reconstruction(model), mine, steps=2)
    else:
        attack = ATTACKS[kind](uae_tf.Reconstruction(model))
    ask = signatures(uae_tf.export(model, tmp_path, attack=attack))
    result = attack(x)
    assert result.success.any()
    seed = np.array([attack.seed], np.int32)
    answer = ask["attack"](x=x, seed=seed)
    for name in ("examples", "success", "similarity"):
        np.testing.assert_allclose(answer[name], getattr(result, name), atol=1e-6)
    # Other seeds, other noise; 8 bits span the bounds.
    other = ask["attack"](x=x, seed=seed + 1)["examples"]
    assert not np.allclose(other, answer["examples"], atol=1e-3)
    ends = np.zeros_like(x, np.uint8)
    ends[1:] = 255
    examples = ask["attack_uint8"](x=ends, seed=seed)["examples"]
    low, high = attack.bounds
    assert np.abs(examples[0] - low).max() < np.abs(examples[1] - low).min()
    assert examples.min() >= low
    assert examples.max() <= high


@pytest.fixture(scope="module")
def exported_attack(tmp_path_factory):
    model = dense()
    attack = uae_tf.MinMaxAttack(
        uae_tf.Reconstruction(model), uae_tf.GaussianMI(), steps=2, initial_noise=0.3
    )
    return signatures(uae_tf.export(model, tmp_path_factory.mktemp("a"), attack=attack))


def test_a_row_with_its_own_seed_does_not_depend_on_its_neighbours(exported_attack):
    ask = exported_attack["attack"]
    seeds = np.array([3, 9, -2, 2**31 - 1], np.int32)
    together = ask(x=X, seed=seeds)
    for row in range(4):
        alone = ask(x=X[row : row + 1], seed=seeds[row : row + 1])
        for name, array in alone.items():
            np.testing.assert_allclose(array[0], together[name][row], atol=1e-6)


def test_the_largest_byte_stays_within_bounds_that_floats_round(tmp_path):
    # 0.1 + 255 * 0.8 / 255 is one float32 above 0.9.
    model, bounds = dense(), (0.1, 0.9)
    attack = uae_tf.PGDAttack(uae_tf.Reconstruction(model), steps=1, bounds=bounds)
    ask = signatures(uae_tf.export(model, tmp_path, attack=attack))["attack_uint8"]
    found = ask(x=np.full((2, 8), 255, np.uint8), seed=np.zeros(1, np.int32))
    assert found["examples"].max() <= np.float32(0.9)


@pytest.mark.parametrize("value", [-0.5, 1.5])
def test_the_attack_refuses_what_lies_outside_of_the_bounds(exported_attack, value):
    seed = np.array([0], np.int32)
    outside = X.copy()
    outside[2, 1] = value
    match = r"`x` must lie within the bounds \[0, 1\]. It does not in row:\] \[2\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=match):
        exported_attack["attack"](x=outside, seed=seed)
    assert exported_attack["score"](x=outside)["score"].shape == (4,)
    for bad in (np.zeros(0, np.int32), np.zeros(3, np.int32)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`seed` must have"):
            exported_attack["attack"](x=X, seed=bad)


def test_a_criterion_with_labels_makes_them_an_input(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
    attack = uae_tf.PGDAttack(uae_tf.UntargetedMargin(model), steps=2)
    ask = signatures(uae_tf.export(model, tmp_path, attack=attack))
    y, seed = np.array([0, 1, 2, 1]), np.array([0], np.int32)
    logits = np.asarray(model(X))
    others = [np.delete(row, label).max() for row, label in zip(logits, y, strict=True)]
    expected = logits[np.arange(4), y] - others
    np.testing.assert_allclose(ask["score"](x=X, y=y)["score"], expected, atol=1e-6)
    result = attack(X, y)
    for form, x in (("", X), ("_uint8", X8)):
        answer = ask["attack" + form](x=x, y=y, seed=seed)
        assert answer["examples"].shape == (4, 8)
        if not form:
            np.testing.assert_allclose(answer["examples"], result.examples, atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="one label for each row"):
        ask["score"](x=X, y=y[:2])


def test_nothing_exported_needs_xla(tmp_path):
    model = dense()
    criterion = uae_tf.Reconstruction(model)
    compiled, plain = (
        uae_tf.MinMaxAttack(criterion, small_mine(jit), steps=2)
        for jit in (True, False)
    )
    path = uae_tf.export(model, tmp_path, attack=compiled)
    assert b"_XlaMustCompile" not in (path / "saved_model.pb").read_bytes()
    answer = signatures(path)["attack"](x=X, seed=np.array([0], np.int32))
    result = plain(X)
    np.testing.assert_allclose(answer["examples"], result.examples, atol=1e-6)
    np.testing.assert_allclose(answer["similarity"], result.similarity, atol=1e-6)


def test_the_card_says_what_it_is_and_where_it_comes_from(served, tmp_path):
    card = json.loads((served.path / "card.json").read_text())
    assert (card["name"], card["version"]) == ("tiny", 1)
    assert card["model"]["parameters"] == served.model.count_params()
    assert card["score"]["class"] == "Reconstruction"
    settings = to_plain(served.attack.get_config())
    assert card["attack"] == {"class": "MinMaxAttack", **settings}
    assert card["made_with"]["tensorflow"] == tf.__version__
    assert "command" not in card["made_with"]
    assert card["metrics"] is None
    inputs = card["signatures"]["attack"]["inputs"]
    assert inputs["x"] == {"dtype": "float32", "shape": [None, 8, 8, 1]}
    assert card["signatures"]["attack"]["outputs"]["success"]["dtype"] == "bool"
    told = {"data": "digits", "licence": "BSD", "metrics": {"mse": np.float32(0.5)}}
    path = uae_tf.export(dense(), tmp_path, card=told)
    card = json.loads((path / "card.json").read_text())
    assert (card["data"], card["metrics"], card["attack"]) == (
        "digits",
        {"mse": 0.5},
        None,
    )


def test_training_on_leaves_what_was_exported(tmp_path):
    model = dense()
    path = uae_tf.export(model, tmp_path)
    before = np.asarray(model(X))
    model.set_weights([0 * weight for weight in model.get_weights()])
    assert uae_tf.export(model, tmp_path).name == "2"
    for version, expected in ((path, before), (tmp_path / "dense/2", model(X))):
        answer = signatures(version)["serving_default"](x=X)["reconstruction"]
        np.testing.assert_allclose(answer, expected, atol=1e-6)


def test_bounds_beside_an_attack_are_the_attack_s(tmp_path):
    model = dense()
    attack = uae_tf.PGDAttack(uae_tf.Reconstruction(model), bounds=(-1.0, 1.0))
    with pytest.raises(ValueError, match="those of the attack"):
        uae_tf.export(model, tmp_path, attack=attack, bounds=(0.0, 1.0))
    assert not list(tmp_path.iterdir())


def other_attack():
    return uae_tf.PGDAttack(uae_tf.Reconstruction(dense()))


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        ({"model": object()}, TypeError, "`model` must be a keras.Model"),
        ({"model": keras.Sequential([keras.layers.Dense(1)])}, ValueError, "not built"),
        ({"attack": "mine"}, TypeError, "`attack` must be a uae_tf attack"),
        ({"attack": other_attack()}, ValueError, "on the exported model itself"),
        ({"attack": uae_tf.MatchedNoise()}, TypeError, "from samples alone"),
        ({"card": {"license": "MIT"}}, ValueError, r"licence.*Received: \['license'\]"),
        ({"card": {"data": object()}}, TypeError, r"card\.data is a object"),
        ({"name": "a/b"}, ValueError, "`name` must be of letters"),
        ({"version": -1}, ValueError, "`version` must be a positive"),
        ({"card": ["a"]}, TypeError, "`card` must be a dict"),
        ({"bounds": (1.0, 0.0)}, ValueError, "`bounds` must be .*low < high"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(
    tmp_path, settings, error, match
):
    with pytest.raises(error, match=match):
        uae_tf.export(**{"model": dense(), "directory": tmp_path / "new", **settings})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("dtype", "bounds", "expected"),
    [
        ("float32", None, (0.0, 1.0)),
        ("float32", (-1.0, 1.0), (-1.0, 1.0)),
        ("uint8", None, (0.0, 255.0)),
    ],
)
def test_bytes_stand_for_the_range_of_the_model(tmp_path, dtype, bounds, expected):
    inputs = keras.Input((8,), dtype=dtype)
    outputs = keras.layers.Dense(8)(keras.layers.Rescaling(0.1)(inputs))
    model = keras.Model(inputs, outputs)
    path = uae_tf.export(model, tmp_path, bounds=bounds)
    assert json.loads((path / "card.json").read_text())["model"]["bounds"] == [
        *expected
    ]
    low, high = expected
    answer = signatures(path)["serving_default_uint8"](x=X8)["reconstruction"]
    x = low + (high - low) * (X8 / 255)
    np.testing.assert_allclose(answer, model(x.astype("float32")), atol=1e-5)
    if dtype == "uint8":
        np.testing.assert_allclose(answer, model(X8), atol=1e-6)


def test_outputs_within_outputs_are_refused(tmp_path):
    inputs = keras.Input((8,))
    x = keras.layers.Dense(8)(inputs)
    with pytest.raises(ValueError, match="a dict or list of tensors"):
        uae_tf.export(keras.Model(inputs, {"a": (x, x)}), tmp_path)


def test_a_model_of_several_or_unknown_inputs_is_refused(tmp_path):
    x, z = keras.Input((8,)), keras.Input((8,))
    with pytest.raises(ValueError, match=r"one input can be exported.*2 inputs"):
        uae_tf.export(keras.Model([x, z], x + z), tmp_path)
    images = keras.Input((None, None, 1))
    model = keras.Model(images, keras.layers.Conv2D(1, 3, padding="same")(images))
    attack = uae_tf.PGDAttack(uae_tf.Reconstruction(model))
    with pytest.raises(ValueError, match="samples of one size"):
        uae_tf.export(model, tmp_path, attack=attack)


def test_no_weight_is_stored_twice(served):
    stored = tf.train.list_variables(str(served.path / "variables" / "variables"))
    sizes = [np.prod(shape) for name, shape in stored if "VARIABLE_VALUE" in name]
    assert sum(sizes) == served.model.count_params()


def test_no_name_of_a_temporary_folder_is_told(tmp_path, caplog, monkeypatch):
    logger = tf.get_logger()
    monkeypatch.setattr(logger, "propagate", True)
    # As TensorFlow sets it in notebooks.
    with caplog.at_level("INFO", logger.name):
        uae_tf.export(dense(), tmp_path)
        assert "Assets written" not in caplog.text
        logger.info("said after the export")
    assert "said after the export" in caplog.text


def test_simclr_is_asked_for_embeddings(tmp_path):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    model = uae_tf.models.SimCLR(encoder, name="simclr")
    images = np.random.default_rng(0).random((3, 8, 8, 3)).astype(np.float32)
    ask = signatures(uae_tf.export(model, tmp_path))
    assert sorted(ask) == sorted(
        name + form for name in ("serving_default", "embed") for form in ("", "_uint8")
    )
    for name in ("serving_default", "embed"):
        found = ask[name](x=images)["embedding"]
        np.testing.assert_allclose(found, model.embed(images), atol=1e-6)
