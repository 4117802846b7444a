"""An adversarially trained classifier as the target, beside a plain one."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from matplotlib.figure import Figure

from ...attacks import Attack, MinMaxAttack, PGDAttack
from ...criteria import Criterion, UntargetedMargin
from ...mine import MINE
from ..report.supervised import examples_grid
from .bench import Progress, run_attack
from .robust_training import EPSILON
from .table import Arrays, Job, Outcome, Table, attack_row, grouped

TARGETS = ("plain", "robust")
ATTACKS = ("fgsm", "pgd", "minmax", "minmax_unbounded")
#: Of the evaluation (SPEC 4.19 j): stronger than what training sees.
EVALUATION_STEPS, EVALUATION_STEP_SIZE = 40, 0.01
_RESTARTS = 5
_SHOWN = 8


class Robust(Table):
    """The same attacks against both, on images that each classifies correctly."""

    title = "What do the attacks reach against an adversarially trained classifier?"

    def jobs(self) -> dict[str, Job]:
        return {
            f"{target}/{attack}": functools.partial(self._attack, target, attack)
            for attack in ATTACKS
            for target in TARGETS
        }

    def _target(self, name: str) -> keras.Model:
        if name == "robust":
            return self.bench.robust_classifier()
        return self.bench.classifier()

    def _made(self, name: str, criterion: Criterion) -> Attack:
        settings = self.settings
        if name == "fgsm":
            return PGDAttack(
                criterion,
                epsilon=EPSILON,
                steps=1,
                step_size=EPSILON,
                random_start=False,
            )
        if name == "pgd":
            return PGDAttack(
                criterion,
                epsilon=EPSILON,
                steps=EVALUATION_STEPS,
                step_size=EVALUATION_STEP_SIZE,
                restarts=_RESTARTS,
                seed=settings.seed,
            )
        return MinMaxAttack(
            criterion,
            MINE(marginals=settings.marginals, inner_steps=settings.inner_steps),
            epsilon=EPSILON if name == "minmax" else settings.epsilon,
            steps=settings.steps,
            initial_noise=0.0,
            initial_multiplier=0.0,
            seed=settings.seed,
        )

    def _attack(self, target: str, name: str, progress: Progress) -> Outcome:
        model = self._target(target)
        criterion = UntargetedMargin(model)
        x, y = self.bench.images(model)
        attack = self._made(name, criterion)
        result, seconds = run_attack(attack, x, y, self.settings.chunk, progress)
        arrays = self.bench.measure(criterion, x, y, result)
        arrays |= {"shown_x": x[:_SHOWN], "shown_examples": result.examples[:_SHOWN]}
        error = self.bench.error(model)
        numbers = {"images": len(x), "seconds": seconds, "error_rate": error}
        return Outcome(numbers, arrays)

    def rows(self, runs: Mapping[str, Any], arrays: Arrays) -> list[dict[str, Any]]:
        return [
            {
                **attack_row(f"{attack} on {target}", found),
                "attack": attack,
                "target": target,
                "images": runs[key]["images"],
                "error_rate": runs[key]["error_rate"],
                "seconds": runs[key]["seconds"],
            }
            for attack in ATTACKS
            for target in TARGETS
            if (found := grouped(arrays, key := f"{target}/{attack}"))
        ]

    def findings(self, rows: Sequence[Mapping[str, Any]], arrays: Arrays) -> list[str]:
        sentences = []
        for target in TARGETS:
            own = {row["attack"]: row for row in rows if row["target"] == target}
            if "pgd" not in own:
                continue
            clean, withstood = (
                1.0 - own["pgd"][k] for k in ("error_rate", "success_rate")
            )
            sentences.append(
                f"The {target} classifier is right on {clean:.1%} of all test images, "
                f"and on {withstood:.1%} of those attacked by PGD-{EVALUATION_STEPS} "
                f"with ε = {EPSILON:g} and {_RESTARTS} restarts."
            )
        return sentences

    def figures(
        self, rows: Sequence[Mapping[str, Any]], arrays: Arrays
    ) -> dict[str, Figure]:
        figures = {}
        for target in TARGETS:
            done = [a for a in ATTACKS if f"{target}/{a}/success" in arrays]
            if done:
                figures[f"examples_{target}"] = examples_grid(
                    arrays[f"{target}/{done[0]}/shown_x"],
                    {a: arrays[f"{target}/{a}/shown_examples"] for a in done},
                    {a: arrays[f"{target}/{a}/success"][:_SHOWN] for a in done},
                )
        return figures

    def meanings(self) -> dict[str, str]:
        settings = self.settings
        return {
            "plain": "Trained on images as they are.",
            "robust": "A smaller network, trained on images and PGD examples of them "
            f"(ε = {EPSILON:g}), through UAECallback.",
            "fgsm": f"One step of length {EPSILON:g} along the gradient's sign.",
            "pgd": f"{EVALUATION_STEPS} steps of {EVALUATION_STEP_SIZE:g}, within ε = "
            f"{EPSILON:g}, {_RESTARTS} random starts.",
            "minmax": f"{settings.steps} iterations of MinMax within the same bound.",
            "minmax_unbounded": f"The same within ε = {settings.epsilon:g}.",
        }

    def notes(self, runs: Mapping[str, Any]) -> list[str]:
        del runs
        return [
            "Each classifier is attacked on its own first "
            f"{self.settings.samples} correctly classified test images, so the two "
            "sets differ a little. MI is of each network's own feature maps: it "
            "compares attacks on one network, not networks."
        ]
