"""Take the documentation's pictures from the executed notebooks.

    python scripts/make_figures.py        # after scripts/run_notebooks.py

Nothing is trained here: what a page shows is what the notebook showed when it was last
run. Pictures of results are drawn by make_results.py, from their numbers.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"

#: Name of the picture -> notebook, and the code its cell ends in.
PICTURES = {
    "uae-gallery": ("01_quickstart", "print(strong)\nshow(strong)"),
    "loss-change": ("01_quickstart", "relative_loss_change(changes)"),
    "phases": ("02_augment_in_fit", "right.margins(y=0.15)\nplt.show()"),
    "table-gallery": ("03_your_own_model", "result.success[few],\n)"),
    "convergence": (
        "05_inside_the_attack",
        'convergence(result.trace, "I: MINE, convolution maps (nats)")',
    ),
    "mi-ceiling": (
        "05_inside_the_attack",
        'ylabel="I: MINE (nats), median")\naxes.legend(frameon=False)\nplt.show()',
    ),
    "bounds": (
        "05_inside_the_attack",
        "axes.minorticks_off()\npanels[0].legend(frameon=False)\nplt.show()",
    ),
    "bounds-gallery": (
        "05_inside_the_attack",
        'Φ(image)‖₂", y=-0.04, fontsize=11)\nplt.show()',
    ),
    "circles": ("09_semi_supervised", "display(figure)"),
}


def picture(notebook: str, ending: str) -> bytes:
    """The picture that a cell of an executed notebook shows.

    Args:
        notebook: its name, without folder and ".ipynb".
        ending: how the cell's code ends.

    Returns:
        A PNG.

    Raises:
        ValueError: not exactly one such cell with a picture.
    """
    path = ROOT / "notebooks" / f"{notebook}.ipynb"
    found = [
        output["data"]["image/png"]
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if "".join(cell["source"]).endswith(ending)
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    if len(found) != 1:
        raise ValueError(
            f"{path.name} must hold one picture of a cell that ends in {ending!r}. "
            f"Found: {len(found)}. Run it with scripts/run_notebooks.py."
        )
    return base64.b64decode(found[0])


def main() -> None:
    """Writes all pictures to docs/images."""
    for name, place in PICTURES.items():
        (IMAGES / f"{name}.png").write_bytes(picture(*place))


if __name__ == "__main__":
    main()
