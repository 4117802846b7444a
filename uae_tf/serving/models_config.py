"""The file that tells a model server which models there are."""

from __future__ import annotations

import json
import re

_HEADER = "# Models of this folder, for --model_config_file. Entries may be edited.\n"
_TOKEN = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[{}]""")
_NAME = re.compile(r"""\bname\s*:\s*["']([^"']*)["']""")


def with_model(text: str, name: str, base_path: str) -> str:
    r"""Adds a model to the text of a ``models.config``.

    Entries that are there, this model's too, stay as they are to the letter: versions,
    labels and comments in them are somebody's.

    Args:
        text: of the file (a ``ModelServerConfig`` in protobuf's text format); empty for
            a new one.
        name: of the model.
        base_path: the model's folder as the server sees it.

    Returns:
        The new text.

    Raises:
        ValueError: there is no one ``model_config_list`` to add to.

    Example:
        >>> print(with_model("", "mnist", "/models/mnist").split("\n", 1)[1])
        model_config_list {
          config {
            name: "mnist"
            base_path: "/models/mnist"
            model_platform: "tensorflow"
          }
        }
        <BLANKLINE>
    """
    text = text if text.strip() else f"{_HEADER}model_config_list {{\n}}\n"
    end = _end_of_list(text)
    if name in model_names(text):
        return text
    entry = (
        "  config {\n"
        f"    name: {json.dumps(name)}\n"
        f"    base_path: {json.dumps(base_path)}\n"
        '    model_platform: "tensorflow"\n'
        "  }\n"
    )
    before = text[:end].rstrip(" ")
    separator = "" if before.endswith("\n") else "\n"
    return before + separator + entry + text[end:]


def model_names(text: str) -> list[str]:
    """The names of the models in the text of a ``models.config``."""
    names, depth, start = [], 0, 0
    for token in _TOKEN.finditer(text):
        depth += {"{": 1, "}": -1}.get(token.group(), 0)
        if token.group() == "{" and depth == 2:
            start = token.end()
        elif token.group() == "}" and depth == 1:
            names += _NAME.findall(_without_comments(text[start : token.start()]))[:1]
    return names


def _end_of_list(text: str) -> int:
    """Where the closing brace of ``model_config_list`` stands."""
    depth, ends = 0, []
    for token in _TOKEN.finditer(text):
        depth += {"{": 1, "}": -1}.get(token.group(), 0)
        if token.group() == "}" and depth == 0:
            ends.append(token.start())
        if depth < 0:
            break
    if depth != 0 or len(ends) != 1 or "model_config_list" not in text:
        raise ValueError(
            "models.config must hold one `model_config_list { ... }` with balanced "
            f"braces, to which a model can be added. Received:\n{text}"
        )
    return ends[0]


def _without_comments(text: str) -> str:
    return _TOKEN.sub(lambda m: "" if m.group().startswith("#") else m.group(), text)
