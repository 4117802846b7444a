"""What options of several commands may be."""

from __future__ import annotations

from enum import StrEnum


class Preset(StrEnum):
    """Starts of the attack."""

    DEFAULT = "default"
    PAPER = "paper"
    PUBLISHED = "published"
    STRONG = "strong"


class RecipeName(StrEnum):
    """Training recipes."""

    PAPER = "paper"
    MODERN = "modern"


class SimilarityName(StrEnum):
    """Similarities of the arm mine_uae."""

    MINE = "mine"
    GAUSSIAN = "gaussian"


class Views(StrEnum):
    """What MINE pairs within a sample."""

    AUTO = "auto"
    CONVOLUTION = "convolution"
    COMPRESSIVE = "compressive"


class Bound(StrEnum):
    """Variational bounds of MINE."""

    DONSKER_VARADHAN = "donsker-varadhan"
    NWJ = "nwj"
    INFONCE = "infonce"
    SMILE = "smile"


class Norm(StrEnum):
    """Norms of the criterion."""

    L2 = "l2"
    SQUARED = "squared"


class Target(StrEnum):
    """Targets of augmented samples."""

    SELF = "self"
    CLEAN = "clean"


def names_in(text: str) -> tuple[str, ...]:
    """Parts of a comma-separated option."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def numbers_in(name: str, text: str) -> tuple[float, ...]:
    """Numbers of a comma-separated option.

    Raises:
        ValueError: a part is no number.
    """
    try:
        return tuple(float(part) for part in names_in(text))
    except ValueError:
        raise ValueError(
            f"`{name}` must be numbers, separated by commas. Received: {text!r}"
        ) from None
