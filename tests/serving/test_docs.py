"""The Python of docs/how-to/serving.md runs as it stands there."""

import re
from pathlib import Path

from uae_tf.serving import PredictionServer

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "serving.md"


def test_what_the_page_tells_to_do_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    export, client, _, without_server = blocks
    names = {}
    exec(export, names)
    assert names["path"].as_posix() == "models/digits/1"
    with PredictionServer("models") as server:
        assert "localhost:8500" in client
        exec(client.replace("localhost:8500", server.address), names)
    assert names["examples"].shape == (16, 8, 8, 1)
    assert names["success"].any()
    exec(without_server, names)
