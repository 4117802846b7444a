"""Figure 3 of the paper: MinMax and PGD as the bound on the perturbation grows."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ...attacks import Attack, MinMaxAttack, PGDAttack
from ...criteria import UntargetedMargin
from ...mine import MINE
from ..report.supervised import lines_by, sweep_grid
from .bench import Progress, run_attack
from .table import Arrays, Job, Outcome, Table, attack_row, grouped

METHODS = ("minmax", "pgd")
_SHOWN = 3


class EpsilonSweep(Table):
    """Two attacks of equally many iterations, at every bound."""

    title = "How do MinMax and PGD examples look as the bound grows?"

    def jobs(self) -> dict[str, Job]:
        return {
            f"{method}/{epsilon:g}": functools.partial(self._attack, method, epsilon)
            for epsilon in self.settings.epsilons
            for method in METHODS
        }

    def _attack(self, method: str, epsilon: float, progress: Progress) -> Outcome:
        settings, model = self.settings, self.bench.classifier()
        criterion = UntargetedMargin(model)
        x, y = self.bench.images(model)
        attack: Attack = PGDAttack(
            criterion, epsilon=epsilon, steps=settings.steps, seed=settings.seed
        )
        if method == "minmax":
            attack = MinMaxAttack(
                criterion,
                MINE(marginals=settings.marginals, inner_steps=settings.inner_steps),
                epsilon=epsilon,
                steps=settings.steps,
                initial_noise=0.0,
                initial_multiplier=0.0,
                seed=settings.seed,
            )
        result, seconds = run_attack(attack, x, y, settings.chunk, progress)
        arrays = self.bench.measure(criterion, x, y, result)
        arrays |= {"shown_x": x[:_SHOWN], "shown_examples": result.examples[:_SHOWN]}
        return Outcome({"images": len(x), "seconds": seconds}, arrays)

    def rows(self, runs: Mapping[str, Any], arrays: Arrays) -> list[dict[str, Any]]:
        return [
            {
                **attack_row(f"{method}, ε = {epsilon:g}", found),
                "epsilon": epsilon,
                "method": method,
                "images": runs[key]["images"],
                "seconds": runs[key]["seconds"],
            }
            for epsilon in self.settings.epsilons
            for method in METHODS
            if (found := grouped(arrays, key := f"{method}/{epsilon:g}"))
        ]

    def findings(self, rows: Sequence[Mapping[str, Any]], arrays: Arrays) -> list[str]:
        sentences = []
        for method in METHODS:
            rates = {
                row["epsilon"]: row["success_rate"]
                for row in rows
                if row["method"] == method
            }
            if rates:
                sentences.append(f"{method} succeeds on every image {_where(rates)}.")
        if rows:
            largest = max(row["epsilon"] for row in rows)
            last = [row for row in rows if row["epsilon"] == largest]
            lengths = " and ".join(
                f"{row['method']} {row['l2']['mean']:.2f}" for row in last if row["l2"]
            )
            if lengths:
                sentences.append(
                    f"At ε = {largest:g} the mean L2 length of δ is: {lengths}."
                )
        return sentences

    def figures(
        self, rows: Sequence[Mapping[str, Any]], arrays: Arrays
    ) -> dict[str, Figure]:
        # Bounds that both methods have, so that an unfinished run has a picture too.
        done = [
            epsilon
            for epsilon in self.settings.epsilons
            if all(f"{m}/{epsilon:g}/success" in arrays for m in METHODS)
        ]
        if not done:
            return {}

        def stacked(name: str) -> dict[str, np.ndarray]:
            return {
                m: np.stack([arrays[f"{m}/{e:g}/{name}"][:_SHOWN] for e in done])
                for m in METHODS
            }

        x = arrays[f"{METHODS[0]}/{done[0]:g}/shown_x"]
        return {
            "sweep": sweep_grid(x, done, stacked("shown_examples"), stacked("success")),
            "curves": lines_by(
                done,
                {
                    label: {
                        method: [
                            factor * _mean(row[key])
                            for row in rows
                            if row["method"] == method and row["epsilon"] in done
                        ]
                        for method in METHODS
                    }
                    for label, key, factor in (
                        ("success rate (%)", "success_rate", 100.0),
                        ("L2 length of δ", "l2", 1.0),
                        ("SSIM", "ssim", 1.0),
                    )
                },
                "ε",
            ),
        }

    def meanings(self) -> dict[str, str]:
        steps = self.settings.steps
        return {
            "minmax": f"{steps} iterations; of the successes the one of largest mutual "
            "information is kept.",
            "pgd": f"{steps} iterations of length 2.5 ε / {steps}, random start; the "
            "iterate of the largest margin is kept. It has no reason to stay near x.",
        }


def _where(rates: Mapping[float, float]) -> str:
    """At which bounds the success rate is 1, in words."""
    failed = [epsilon for epsilon, rate in rates.items() if rate < 1.0]
    whole = sorted(set(rates) - set(failed))
    beyond = [epsilon for epsilon in whole if epsilon > max(failed, default=0.0)]
    if beyond:
        return f"from ε = {min(beyond):g} on"
    if whole:
        bounds = ", ".join(f"{epsilon:g}" for epsilon in whole)
        return f"at ε = {bounds}, but not at the largest bound tried"
    return "at no bound tried"


def _mean(entry: Any) -> float:
    if isinstance(entry, Mapping):
        return float(entry["mean"])
    return float("nan") if entry is None else float(entry)
