"""Table 2 and Figure 1 of the paper: which views of MINE give better pictures."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ...attacks import MinMaxAttack
from ...criteria import UntargetedMargin
from ...evaluation import FeatureExtractor
from ...mine import MINE
from ..report.supervised import distance_bars, examples_grid
from .bench import Bench, Progress, run_attack
from .settings import SupervisedSettings
from .table import Arrays, Job, Outcome, Table, attack_row, grouped, over_images

#: Name of the rows -> views of MINE.
VIEWS = {"random sampling": "compressive", "convolution": "convolution"}
FLOOR, ATTACKED, CEILING = "clean test", "attacked, as they are", "noise"
#: Training images that stand for their distribution.
REFERENCE = 10_000
_SHOWN = 8
#: Table 2 (SPEC 1.2), with Inception's features: to be set beside nothing else.
_PAPER = (
    "The paper has FID 339.47 ± 8.07 and KID 14.86 ± 1.45 for random sampling, 344.231 "
    "and 10.78 for convolution, in another feature space, of another attacked network "
    "and at a scale it does not tell: only the order of its two rows can be compared."
)


class Quality(Table):
    """Adversarial examples as a set of images, beside clean ones and noise."""

    title = "Which views of MINE give better adversarial images?"
    primary = "frechet"

    def __init__(self, settings: SupervisedSettings, bench: Bench) -> None:
        super().__init__(settings, bench)
        self._reference: np.ndarray | None = None

    @functools.cached_property
    def extractor(self) -> FeatureExtractor:
        """The feature space, by the name that goes into every result."""
        name = f"{self.settings.dataset}_features"
        if self.settings.extractor is not None:
            path = Path(self.settings.extractor)
            # Of models/NAME/VERSION the name.
            name = path.parent.name if path.name.isdigit() else path.stem
        return FeatureExtractor(self.bench.extractor(), name)

    def jobs(self) -> dict[str, Job]:
        found: dict[str, Job] = {
            FLOOR: self._clean,
            ATTACKED: self._attacked,
            CEILING: self._noise,
        }
        for run in range(self.settings.runs):
            for name in VIEWS:
                found[f"{name}/{run}"] = functools.partial(self._attack, name, run)
        return found

    def _attack(self, name: str, run: int, progress: Progress) -> Outcome:
        settings, model = self.settings, self.bench.classifier()
        seed = settings.seed + run
        criterion = UntargetedMargin(model)
        attack = MinMaxAttack(
            criterion,
            MINE(
                VIEWS[name],
                settings.marginals,
                inner_steps=settings.inner_steps,
                num_projections=settings.projections,
                seed=seed,
            ),
            epsilon=settings.epsilon,
            steps=settings.steps,
            initial_noise=0.0,
            initial_multiplier=0.0,
            seed=seed,
        )
        x, y = self.bench.images(model)
        result, seconds = run_attack(attack, x, y, settings.chunk, progress)
        # Judges of mutual information only once: they cost as much as the attack.
        arrays = self.bench.measure(criterion, x, y, result, with_critics=run == 0)
        if run == 0:
            arrays |= {
                "shown_x": x[:_SHOWN],
                "shown_examples": result.examples[:_SHOWN],
            }
        return Outcome({"seconds": seconds, **self._distances(result.examples)}, arrays)

    def _clean(self, progress: Progress) -> Outcome:
        del progress
        x = self.bench.data.x_test[: self.settings.samples]
        return Outcome(self._distances(x), {})

    def _attacked(self, progress: Progress) -> Outcome:
        del progress
        x, _ = self.bench.images(self.bench.classifier())
        return Outcome(self._distances(x), {})

    def _noise(self, progress: Progress) -> Outcome:
        del progress
        x, _ = self.bench.images(self.bench.classifier())
        rng = np.random.default_rng(self.settings.seed)
        return Outcome(self._distances(rng.random(x.shape, np.float32)), {})

    def _distances(self, x: np.ndarray) -> dict[str, float]:
        extract = self.extractor
        if self._reference is None:
            self._reference = extract(self.bench.data.x_train[:REFERENCE])
        found = extract.distances(extract(x), self._reference)
        return {name.split("_")[0]: value for name, value in found.items()}

    def rows(self, runs: Mapping[str, Any], arrays: Arrays) -> list[dict[str, Any]]:
        rows = []
        for name in (FLOOR, ATTACKED, *VIEWS, CEILING):
            entries = [
                run for key, run in runs.items() if key.partition("/")[0] == name
            ]
            if not entries:
                continue
            row: dict[str, Any] = {"arm": name}
            found = grouped(arrays, name)
            if found:
                # Fresh critics judged the first run alone.
                first = grouped(arrays, f"{name}/0")
                both = {key: found[key] for key in found if not key.startswith("mi_")}
                row = attack_row(name, first) | attack_row(name, both)
                row["seconds"] = sum(entry["seconds"] for entry in entries)
            for key in ("frechet", "kernel"):
                values = np.array([entry[key] for entry in entries])
                row[key] = {**(over_images(values) or {}), "values": values.tolist()}
            row["runs"] = len(entries)
            rows.append(row)
        return rows

    def findings(self, rows: Sequence[Mapping[str, Any]], arrays: Arrays) -> list[str]:
        found = {row["arm"]: row for row in rows}
        if not all(name in found for name in (*VIEWS, FLOOR, CEILING)):
            return []
        sentences = []
        for key, word in (("frechet", "Frechet"), ("kernel", "kernel")):
            means = {name: row[key]["mean"] for name, row in found.items()}
            first, second = sorted(VIEWS, key=lambda name: means[name])
            spread = max(found[name][key].get("std") or 0.0 for name in VIEWS)
            if not spread:
                told = "one run cannot tell the two kinds of views apart"
            elif means[second] - means[first] > 2.0 * spread:
                # Of runs on the same images: other images would differ by more.
                told = f"{first} views are nearer to the training data than {second}"
            else:
                told = "the two kinds of views do not differ"
            sentences.append(
                f"By the {word} distance {told}: "
                + ", ".join(f"{name} {means[name]:.3g}" for name in VIEWS)
                + f"; clean test images {means[FLOOR]:.3g}, noise {means[CEILING]:.3g}."
            )
        return sentences

    def figures(
        self, rows: Sequence[Mapping[str, Any]], arrays: Arrays
    ) -> dict[str, Figure]:
        figures: dict[str, Figure] = {}
        if len(rows) > 1:
            titles = self.titles()
            figures["distances"] = distance_bars(
                {
                    titles[key]: {row["arm"]: row[key]["values"] for row in rows}
                    for key in ("frechet", "kernel")
                }
            )
        done = [n for n in VIEWS if f"{n}/0/shown_x" in arrays]
        if done:
            figures["attacked"] = examples_grid(
                arrays[f"{done[0]}/0/shown_x"],
                {name: arrays[f"{name}/0/shown_examples"] for name in done},
                {name: arrays[f"{name}/0/success"][:_SHOWN] for name in done},
            )
        return figures

    def meanings(self) -> dict[str, str]:
        settings = self.settings
        return {
            FLOOR: "As many test images, whatever the classifier makes of them: what "
            "the number of images alone gives.",
            ATTACKED: "The images that are attacked, before it: those the classifier "
            "gets right. They are easy ones, and so no sample of all kinds of images.",
            "random sampling": f"MINE between K = {settings.projections} Gaussian "
            "measurements of x and of x + δ.",
            "convolution": "MINE between the maps of the first convolution.",
            CEILING: "Uniform noise images, as many.",
        }

    def notes(self, runs: Mapping[str, Any]) -> list[str]:
        del runs
        settings = self.settings
        name = self.extractor.name
        found = [
            f"FD and KD are measured in the space of {name}, a small network trained "
            "on the training split and never attacked. They are not FID and KID, which "
            "belong to Inception, and no numbers of another extractor compare.",
            f"A distance of {settings.samples} images to {REFERENCE:,} training images "
            "(all, if there are fewer) is biased upward for every row alike: the clean "
            "test images show by how much. The ± of a distance is over runs.",
            "K of the convolution's views is the number of its filters, whatever "
            "--projections says.",
        ]
        if settings.dataset == "cifar10":
            found += [_PAPER, "CIFAR-10 may be a JPEG copy, depending on its folder."]
        return found

    def titles(self) -> dict[str, str]:
        name = self.extractor.name
        return {"frechet": f"FD ({name})", "kernel": f"KD ({name})"}
