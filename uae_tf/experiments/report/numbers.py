"""Write numbers for people: one scale for a column, honest signs and gaps."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

MINUS = "\N{MINUS SIGN}"
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


@dataclasses.dataclass(frozen=True)
class Statistic:
    """Mean and spread over seeds.

    Args:
        mean: mean over the finite values.
        std: standard deviation over seeds, NaN where there is one seed.
        values: one number per seed, NaN where the seed failed.
    """

    mean: float
    std: float
    values: tuple[float, ...]


def statistic(entry: object) -> Statistic | None:
    """Read a number of results.json, be it plain or `{"mean", "std", "values"}`.

    Args:
        entry: the number, the mapping, or None.

    Returns:
        The statistic, None where there is no finite mean.
    """
    if isinstance(entry, Mapping):
        values = tuple(to_float(v) for v in entry.get("values") or ())
        mean = to_float(entry.get("mean"))
        std = to_float(entry.get("std")) if len(values) != 1 else math.nan
    else:
        mean, std, values = to_float(entry), math.nan, ()
    return Statistic(mean, std, values) if math.isfinite(mean) else None


def to_float(value: Any) -> float:
    """Return a float; NaN for None and for what is no number."""
    try:
        return math.nan if value is None else float(value)
    except (TypeError, ValueError):
        return math.nan


def exponent_for(values: Iterable[float]) -> int:
    """Choose the power of ten that makes the median of a column lie in [1, 10).

    Args:
        values: the column; what is not finite or not positive does not count.

    Returns:
        The exponent, 0 where the column reads well as it is (0.1 to 1000).

    Example:
        >>> exponent_for([0.00258, 0.00228, 0.00561]), exponent_for([0.5, 2.0])
        (-3, 0)
    """
    usable = sorted(v for v in values if math.isfinite(v) and v > 0)
    if not usable:
        return 0
    median = usable[len(usable) // 2]
    return 0 if 0.1 <= median < 1000 else math.floor(math.log10(median))


def scale_label(exponent: int) -> str:
    """Write a scale as `1e-3` for plain text, nothing for 1.

    Example:
        >>> scale_label(-3), scale_label(0)
        ('×1e-3', '')
    """
    return f"\N{MULTIPLICATION SIGN}1e{exponent}" if exponent else ""


def fixed(value: float, decimals: int, signed: bool = False) -> str:
    """Write a number with a real minus sign and without a negative zero.

    Args:
        value: any float.
        decimals: digits after the point.
        signed: whether to write a plus sign too.

    Returns:
        The text; "–" for what is not finite.

    Example:
        >>> fixed(-0.001, 2), fixed(1234.5, 1), fixed(2.0, 1, signed=True)
        ('0.00', '1,234.5', '+2.0')
    """
    if not math.isfinite(value):
        return "\N{EN DASH}"
    rounded = round(value, decimals) + 0.0
    sign = "+" if signed and rounded > 0 else ""
    return f"{sign}{rounded:,.{decimals}f}".replace("-", MINUS)


def duration(seconds: float) -> str:
    """Write a time as people say it.

    Example:
        >>> duration(4.24), duration(75), duration(7260)
        ('4.2 s', '1 min 15 s', '2 h 01 min')
        >>> duration(1_000_000)
        '12 days'
    """
    if not math.isfinite(seconds):
        return "\N{EN DASH}"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours = minutes // 60
    if hours < 48:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{round(hours / 24):,} days"
