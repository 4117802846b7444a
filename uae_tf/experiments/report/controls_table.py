"""The verdict as a table: the candidate against each control."""

from __future__ import annotations

import math

from ..comparison import Comparison
from ..verdict import Verdict
from .cells import Cell, Header, TableData, tone
from .numbers import PLUS_MINUS, exponent_for, fixed, scale_label


def controls_table(verdict: Verdict, unit: str = "") -> TableData:
    """Lay out the verdict: the candidate against each control.

    Args:
        verdict: the verdict.
        unit: of the errors, as `error_unit` of the results; empty for a scale that
            suits them.

    Returns:
        The table. Differences are control - candidate: positive ones favour the
        candidate.
    """
    compared = verdict.comparisons
    exponent = 0 if unit else exponent_for(abs(c.control_mean) for c in compared)
    # Of errors in % the difference is in points; in % is the next column.
    scale = {"%": "% points"}.get(unit, unit) or scale_label(exponent)
    level = f"{100 * verdict.level:.3g}\N{NO-BREAK SPACE}%"
    ends = [abs(c.relative(v)) for c in compared for v in (c.low, c.difference, c.high)]
    limit = max((e for e in ends if math.isfinite(e)), default=0.0) or 1.0
    return TableData(
        f"{verdict.candidate} against each control",
        (
            Header("control"),
            Header(
                "lower error by",
                scale,
                "Control - candidate, mean over seeds ± standard error.",
            ),
            Header("relative", "%", "The same in % of the control's error."),
            Header(
                f"{level} interval", "%", "Student t interval of the paired difference."
            ),
            Header("effect", "", "By the interval alone."),
            Header("corrected", "", "After Holm's correction for all controls."),
            Header("seeds", "", "Seeds that both arms finished."),
        ),
        tuple(_control_row(verdict, c, exponent, limit) for c in compared),
    )


def _control_row(
    verdict: Verdict, c: Comparison, exponent: int, limit: float
) -> tuple[Cell, ...]:
    factor = 10.0**-exponent
    difference = fixed(factor * c.difference, 3, signed=True)
    if math.isfinite(c.standard_error):
        difference += f" {PLUS_MINUS} {fixed(factor * c.standard_error, 3)}"
    low, middle, high = (c.relative(v) for v in (c.low, c.difference, c.high))
    span, bar = "", None
    if c.is_decided and math.isfinite(low):
        span = f"{fixed(low, 1, signed=True)} to {fixed(high, 1, signed=True)}"
        bar = (low, middle, high, limit)
    mark = " (strongest)" if c.control == verdict.strongest else ""
    return (
        Cell(c.control + mark, c.control, is_best=bool(mark)),
        Cell(difference),
        Cell(fixed(middle, 1, signed=True)),
        Cell(span, bar=bar, tone=tone(c.effect)),
        Cell(c.effect, tone=tone(c.effect)),
        Cell(c.corrected_effect if c.is_decided else "", tone=tone(c.corrected_effect)),
        Cell(str(c.seeds)),
    )
