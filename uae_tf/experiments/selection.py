"""The paper's second experiment, with controls: do UAEs improve feature selection?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from ..datasets.sources import SOURCES
from ..evaluation.feature_baselines import BASELINES
from . import summary
from .experiment import Experiment
from .resumable_run import check_folder
from .selection_pictures import SelectionPictures
from .selection_run import SelectionBench, SelectionRun
from .selection_settings import PAPER, SelectionSettings

_QUALITY = ("linear_error", "accuracy", "distinct")


def select(
    settings: SelectionSettings,
    out: Path,
    resume: bool = False,
    console: Console | None = None,
    workers: int = 0,
) -> dict[str, Any]:
    """Selects features with and without UAEs, and writes results and report.

    As :func:`uae_tf.experiments.reconstruction.reconstruct`, with a concrete
    autoencoder; beside its error every arm has the error of a linear regression and the
    accuracy of 50 trees on the selected features, and so have methods that need no
    network, on the same splits.

    Args:
        settings: of the experiment.
        out: folder for results.json, report.html, figures and the originals' weights.
        resume: go on from the jobs in ``out`` instead of starting anew.
        console: where progress is drawn.
        workers: processes that share the seeds, each with its share of the cores; 0:
            this one has them all.

    Returns:
        What results.json holds; ``complete`` is False after an interruption.

    Raises:
        ValueError: settings, data or a folder that do not fit; nothing has been
            trained or written then.
        FileNotFoundError: the data set is not prepared.

    Reference:
        Hsu et al., AAAI 2022, Table 6 and section 4.5; SPEC 5.
    """
    check_folder(out)
    bench = SelectionBench.load(settings)
    return Select(settings, bench, out, resume, console or Console(), workers).run()


class Select(Experiment):
    """Concrete autoencoders of the paper's Table 6."""

    name = "select"
    seed_run = SelectionRun
    pictures_type = SelectionPictures
    statistics = (*_QUALITY, "confidence")
    settings: SelectionSettings
    bench: SelectionBench

    @property
    def further_names(self) -> tuple[str, ...]:
        return tuple(BASELINES) if self.settings.baselines else ()

    def paper_numbers(self, arm: str) -> dict[str, float | None]:
        original, uae = PAPER.get(self.settings.dataset, ((), ()))
        names = ("paper", "paper_accuracy", "paper_success_rate")
        numbers = {"original": original, "mine_uae": uae}.get(arm, ())
        return dict.fromkeys(names) | dict(zip(names, numbers, strict=False))

    def further_results(self) -> dict[str, Any]:
        seeds = [str(seed) for seed in self.seeds]
        runs = {
            name: [done[seed] for seed in seeds if seed in done]
            for name, done in self.further.items()
        }
        return {
            "further": self.further,
            "baselines": [
                {
                    "arm": name,
                    **{
                        key: summary.statistic([entry[key] for entry in entries])
                        for key in _QUALITY
                    },
                }
                for name, entries in runs.items()
                if entries
            ],
            "selection": self._selection(),
        }

    def notes(self) -> list[str]:
        found = super().notes()
        found += _DATA_NOTES.get(self.settings.dataset, [])
        # Of other sets nothing is learnt before the split.
        if self.settings.legacy and self.settings.dataset in SOURCES:
            found.append(
                "Legacy preprocessing, as published: what is learnt of the data before "
                "the split (ranges, class means) has seen the test split."
            )
        judged = summary.judge(self.settings, self.runs, "classifier_error")
        if judged:
            found.append(
                "Of the trees' error (1 - accuracy) in the place of the decoder's: "
                f"{judged['sentence']}"
            )
        return found

    def _selection(self) -> dict[str, list[str]]:
        """What was selected with the first seed, where features have names."""
        seed, names = str(self.seeds[0]), self.bench.data.feature_names
        return {
            arm: [names[i] for i in dict.fromkeys(done[seed]["selected"])]
            for arm, done in (self.runs | self.further).items()
            if names and seed in done and done[seed]["selected"]
        }


_DATA_NOTES = {
    "activity": [
        "Not the paper's data: its 4,252 and 1,492 rows are of another set with the "
        "same 561 features. These are the 7,352 rows of the published training part "
        "of the smartphone set, split by subject (5,475 and 1,877)."
    ],
    "mice_protein": [
        "The split is by measurement, as in the paper: the 15 measurements of a mouse "
        "stand on both sides, so accuracies are higher than on new mice."
    ],
    "coil20": [
        "The split is by view, as in the paper: every test view has neighbours 5 "
        "degrees away in the training split."
    ],
}
