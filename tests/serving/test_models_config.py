import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from uae_tf.serving.models_config import model_names, with_model

EDITED = """
# mnist { was here }
model_config_list: {
  config {  # the "first" }
    base_path: "/models/a}b"
    name: 'a'
    model_version_policy { specific { versions: 2 versions: 3 } }
    # name: "not me"
  }
}
"""


def parsed(text):
    config = text_format.Parse(text, ModelServerConfig())
    return {c.name: c for c in config.model_config_list.config}


def test_a_new_file_is_what_the_server_reads():
    text = with_model("", "mnist_conv", "/models/mnist_conv")
    model = parsed(text)["mnist_conv"]
    assert model.base_path == "/models/mnist_conv"
    assert model.model_platform == "tensorflow"
    assert list(parsed(with_model(text, "other", "/m/other"))) == [
        "mnist_conv",
        "other",
    ]


def test_what_somebody_wrote_stays_to_the_letter():
    text = with_model(EDITED, "b", "/models/b")
    assert text.startswith(EDITED.rstrip("}\n"))
    models = parsed(text)
    assert list(models) == ["a", "b"] == model_names(text)
    assert list(models["a"].model_version_policy.specific.versions) == [2, 3]
    assert with_model(EDITED, "a", "/elsewhere") == EDITED


def test_one_line_and_an_empty_list_are_added_to():
    for text in ("model_config_list {}", "model_config_list { config { name: 'x' } }"):
        assert "y" in parsed(with_model(text, "y", "/models/y"))


@pytest.mark.parametrize(
    "text",
    [
        "model_config_list {",
        "model_config_list { } }",
        "custom_model_config { }",
        "model_config_list { } model_config_list { }",
        "model_config_list",
    ],
)
def test_a_file_that_cannot_be_added_to_is_refused(text):
    with pytest.raises(ValueError, match=r"models\.config must hold one"):
        with_model(text, "mnist", "/models/mnist")
