"""What self-contained pages are made of: templates, and pictures within the page."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image

from .captions import CAPTIONS, Caption

#: Dots per inch of the PNGs, and how many of them make one CSS pixel: more than one,
#: so that pictures stay sharp on dense screens and when zoomed.
_DPI, _DENSITY = 160, 1.6
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure as the page embeds it; width and height in CSS pixels."""

    name: str
    title: str
    lead: str
    caption: str
    alt: str
    source: str
    width: int
    height: int


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """Fill a template of this folder; what the context lacks is an error.

    Args:
        template: its file name.
        context: what it shows; texts are escaped.

    Returns:
        A whole HTML document.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(template).render(context).lstrip()


def png(name: str, figure: Figure | bytes) -> bytes:
    """Return a figure as a PNG.

    Args:
        name: becomes a file name.
        figure: a matplotlib figure, or the bytes of a PNG, which come back.

    Raises:
        ValueError: a name that is not made of letters, digits, "-", "_" and ".", or
            bytes that are no PNG.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ValueError(
            f"figures must be named with letters, digits, '-', '_' and '.', got "
            f"{name!r}: the name becomes a file name."
        )
    if isinstance(figure, Figure):
        buffer = io.BytesIO()
        told = {"Description": alternative_text(figure)}
        figure.savefig(buffer, format="png", dpi=_DPI, metadata=told)
        return buffer.getvalue()
    if not figure.startswith(_PNG) or len(figure) < 24:
        raise ValueError(
            f"figures[{name!r}] must be a matplotlib Figure or the bytes of a PNG, got "
            f"{len(figure)} bytes that begin with {figure[:8]!r}."
        )
    return figure


def alternative_text(figure: Figure | bytes) -> str:
    """What a figure, or a PNG of ours, says of itself for those who cannot see it."""
    if isinstance(figure, Figure):
        return str(figure.get_label())
    with Image.open(io.BytesIO(figure)) as image:
        return str(image.info.get("Description", ""))


def picture(name: str, image: bytes, alt: str = "") -> Picture:
    """Prepare a PNG for a page, with the caption that its name has.

    Args:
        name: a key of `CAPTIONS`, or any other.
        image: the PNG.
        alt: alternative text; empty for the caption's title.
    """
    width, height = struct.unpack(">II", image[16:24])
    title = name.replace("_", " ").replace("-", " ").capitalize()
    caption = CAPTIONS.get(name, Caption(title))
    return Picture(
        name=name,
        title=caption.title,
        lead=caption.lead,
        caption=caption.below,
        alt=alt or caption.title,
        source="data:image/png;base64," + base64.b64encode(image).decode(),
        width=round(width / _DENSITY),
        height=round(height / _DENSITY),
    )
