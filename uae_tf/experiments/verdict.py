"""Decide, against every control, whether a candidate arm lowers the test error.

The rule, in full:

1. Seeds are paired: `d_i = control_i - candidate_i` for each seed that both arms
   finished with a finite error, so `d > 0` means that the candidate is better.
2. `d` is the mean of `d_i` over the `n` pairs, `s = std(d_i) / sqrt(n)` its standard
   error (variance over `n - 1`), and `d ± t s` its interval, `t` the Student quantile
   with `n - 1` degrees of freedom (95 % unless told otherwise).
3. Interval above 0: the candidate *helps* against that control. Below 0: it *hurts*.
   Otherwise *no effect* was shown. With `n < 2`, or the same `d_i` in all seeds (which
   error rates of few test samples have by chance): *undecided*.
4. Who looks at many controls finds an effect by chance sooner or later. Every claim of
   the sentence therefore uses Holm's correction of the two-sided p-values over all
   decided controls; the uncorrected effect is kept beside it.
5. The conclusion is the corrected effect against the *strongest* control: the one
   with the lowest mean error, judged on the seeds it shares with the candidate (so:
   the one with the smallest `d`). Beating a weak control says little.

"No effect" is never a proof that there is none: the interval says how large an effect
this number of seeds could have missed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .comparison import NO_SEED, Comparison, compare, holm
from .verdict_text import write_verdict

Values = Mapping[str, Sequence[float | None]]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the experiment says about the candidate arm.

    Args:
        candidate: name of the arm under test.
        effect: corrected effect against the strongest control: "helps", "no effect",
            "hurts" or "undecided: ...".
        headline: the conclusion in one sentence.
        details: further sentences: each group of controls, what the gain is not due
            to, the correction, seeds left out.
        strongest: name of the strongest control, None if none has a shared seed.
        comparisons: one `Comparison` per control, in the order asked for.
        level: confidence level of the intervals and 1 - family-wise error.
    """

    candidate: str
    effect: str
    headline: str
    details: tuple[str, ...]
    strongest: str | None
    comparisons: tuple[Comparison, ...]
    level: float

    @property
    def sentence(self) -> str:
        """The headline and its details as one paragraph."""
        return " ".join((self.headline, *self.details))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form; a number that does not exist becomes None."""
        entries = dataclasses.asdict(self)
        entries["details"] = list(self.details)
        entries["comparisons"] = [_without_nan(c) for c in entries["comparisons"]]
        return entries | {"sentence": self.sentence}

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Verdict:
        """Rebuild a verdict from `to_dict`, e.g. out of results.json.

        Raises:
            ValueError: something that `to_dict` writes is missing.
        """
        try:
            fields = {f.name: entries[f.name] for f in dataclasses.fields(cls)}
            fields["details"] = tuple(fields["details"])
            fields["comparisons"] = tuple(
                Comparison(**_with_nan(entry)) for entry in fields["comparisons"]
            )
        except (KeyError, TypeError) as error:
            raise ValueError(
                "verdict must have the form that Verdict.to_dict gives, "
                f"got {entries!r} ({error})."
            ) from error
        return cls(**fields)


def verdict(
    values: Values,
    candidate: str = "mine_uae",
    controls: Sequence[str] | None = None,
    level: float = 0.95,
) -> Verdict:
    """Compare a candidate arm with its controls, seed by seed.

    The module's text states the rule.

    Args:
        values: test error of each arm, lower is better; one value per seed, the same
            position being the same seed in every arm. None, or a shorter list, is a
            seed still to come; NaN or infinity one that failed.
        candidate: name of the arm under test. It may still be missing from `values`.
        controls: names of the arms to compare with, in the order of the report; all
            other arms of `values` by default. Those missing from `values` count as
            not finished.
        level: confidence level of the intervals and 1 - the family-wise error of
            Holm's correction, in (0, 1), default 0.95.

    Returns:
        The `Verdict`, with one `Comparison` per control.

    Raises:
        ValueError: no control, a control named twice or equal to the candidate, a
            level outside (0, 1), or values that are not one number per seed.

    Example:
        >>> errors = {
        ...     "original": [7.0, 7.1, 6.9],
        ...     "duplicated": [5.7, 5.7, 5.6],
        ...     "mine_uae": [5.6, 5.7, 5.6],
        ... }
        >>> outcome = verdict(errors)
        >>> [(c.control, c.effect) for c in outcome.comparisons]
        [('original', 'helps'), ('duplicated', 'no effect')]
        >>> outcome.strongest, outcome.effect
        ('duplicated', 'no effect')
    """
    names = _check(values, candidate, controls, level)
    mine = _errors(candidate, values.get(candidate, ()))
    compared = _with_holm(
        [compare(n, _errors(n, values.get(n, ())), mine, level) for n in names],
        alpha=1.0 - level,
    )
    ranked = [c for c in compared if c.seeds > 0]
    strongest = min(ranked, key=lambda c: c.difference) if ranked else None
    headline, details = write_verdict(candidate, compared, strongest, level)
    return Verdict(
        candidate=candidate,
        effect=strongest.corrected_effect if strongest else NO_SEED,
        headline=headline,
        details=details,
        strongest=strongest.control if strongest else None,
        comparisons=compared,
        level=level,
    )


def _with_holm(compared: Sequence[Comparison], alpha: float) -> tuple[Comparison, ...]:
    decided = [c for c in compared if c.is_decided]
    adjusted = holm([c.p_value for c in decided])
    corrected = {
        c.control: c.corrected(p_holm, alpha)
        for c, p_holm in zip(decided, adjusted, strict=True)
    }
    return tuple(corrected.get(c.control, c) for c in compared)


def _errors(name: str, values: Sequence[float | None]) -> np.ndarray:
    try:
        array = np.asarray([math.nan if v is None else _finite(v) for v in values])
    except (TypeError, ValueError):
        array = np.zeros((0, 0))
    if array.ndim != 1:
        raise ValueError(
            f"values[{name!r}] must hold one number per seed, got {values!r}: "
            "average each seed's error over its samples first."
        )
    return array


def _finite(value: float) -> float:
    """Return the error, infinity for one that failed: `compare` reads NaN as absent."""
    return float(value) if math.isfinite(value) else math.inf


def _check(
    values: Values, candidate: str, controls: Sequence[str] | None, level: float
) -> list[str]:
    names = [n for n in values if n != candidate] if controls is None else [*controls]
    if not names:
        raise ValueError(
            f"controls is empty: name at least one arm to compare {candidate!r} with; "
            f"values holds {sorted(values)}."
        )
    if candidate in names or len(set(names)) != len(names):
        raise ValueError(
            "controls must be different arms other than the candidate "
            f"{candidate!r}, got {names}."
        )
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie in (0, 1), e.g. 0.95, got {level}.")
    return names


def _without_nan(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in entry.items()
    }


def _with_nan(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {k: math.nan if v is None else v for k, v in entry.items()}
