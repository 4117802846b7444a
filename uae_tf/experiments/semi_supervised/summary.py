"""From the numbers of single trainings to rows, choices, verdict and notes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..summary import edge_note, statistic
from ..verdict import verdict
from .arms import METHODS, Arm, Trial
from .protocols import COLOUR, PAPER, PAPER_LABELS, PUBLISHED_SIDE
from .settings import SemiSupervisedSettings

#: trial -> seed -> numbers
Runs = Mapping[str, Mapping[str, Mapping[str, Any]]]
#: method -> value of its setting
Choices = Mapping[str, float]

_STATISTICS = ("test_error", "l2")
_WORDS = {
    "supervised": "The labelled samples alone: the updates and the network of the "
    "other arms, no unlabelled term.",
    "random": "Consistency under random steps of length ε. Rules out that plain noise, "
    "of a length that suits it, does as well.",
    "vat": "Virtual adversarial training: consistency under the step of length ε that "
    "moves the prediction most.",
    "vat_entmin": "VAT and the entropy of unlabelled predictions.",
    "generator": "Consistency under examples that a generator makes to fool the "
    "classifier, held near the sample by λ: the slides' method.",
    "bounded_generator": "Consistency under changes of length ε and either sign that a "
    "generator makes to fool the classifier: our own.",
    "bounded_generator_entmin": "That, and the entropy of unlabelled predictions.",
    "mine_uae": "Consistency under unsupervised adversarial examples, found once, "
    "against an autoencoder: our own addition.",
}


def seeds_of(settings: SemiSupervisedSettings) -> list[int]:
    """Numbers of the repetitions."""
    return [settings.seed + i for i in range(settings.seeds)]


def trial_of(arm: Arm, choices: Choices) -> Trial | None:
    """What an arm trains; None while its setting is still to be chosen."""
    if METHODS[arm.method] is None:
        return Trial(arm.method, None)
    value = arm.value if arm.value is not None else choices.get(arm.chosen_by)
    return None if value is None else Trial(arm.method, value)


def validation_errors(
    settings: SemiSupervisedSettings, runs: Runs, method: str
) -> dict[float, float]:
    """Value -> mean validation error in %, over the seeds that choose."""
    found = {}
    seeds = seeds_of(settings)[: settings.choice_seeds]
    for value in settings.grid(method):
        entries = runs.get(Trial(method, value).key, {})
        errors = [
            entries[str(s)]["validation_error"] for s in seeds if str(s) in entries
        ]
        # A NaN, of a training that diverged, must not win.
        numbers = [math.inf if e is None or math.isnan(e) else e for e in errors]
        if len(numbers) == len(seeds):
            found[value] = float(np.mean(numbers))
    return found


def choose(
    settings: SemiSupervisedSettings, runs: Runs, methods: list[str]
) -> dict[str, float]:
    """Method -> the value of its grid with the lowest validation error."""
    chosen = {}
    for method in methods:
        errors = validation_errors(settings, runs, method)
        if len(errors) == len(settings.grid(method)):
            chosen[method] = min(errors, key=lambda value: errors[value])
    return chosen


def rows(
    settings: SemiSupervisedSettings, runs: Runs, choices: Choices
) -> list[dict[str, Any]]:
    """One row per arm that has at least one finished seed."""
    found = []
    for arm in settings.arms:
        entries = [e for e in _entries(settings, runs, choices, arm) if e is not None]
        if not entries:
            continue
        row: dict[str, Any] = {"arm": arm.name}
        for name in _STATISTICS:
            values = [entry[name] for entry in entries if name in entry]
            row[name] = statistic(values) if values else None
        if row["test_error"]["mean"] is None:
            row["error"] = entries[0].get("error", "no finite error")
        trial = trial_of(arm, choices)
        row["setting"] = trial.value if trial else None
        row["updates"] = max(entry.get("updates", 0) for entry in entries)
        row["seconds"] = float(np.mean([entry["seconds"] for entry in entries]))
        row["paper"] = _paper(settings, arm)
        found.append(row)
    return found


def judge(
    settings: SemiSupervisedSettings, runs: Runs, choices: Choices
) -> dict[str, Any] | None:
    """The verdict on the protocol's candidate, None where nothing can be compared.

    An arm with a fixed setting is no control of one that was chosen: nobody chose it
    for this data. Where the candidate's own setting is fixed, all other methods are.
    """
    candidates, controls = _compared(settings)
    if len(candidates) != 1 or not controls:
        return None
    values = {
        arm.name: [
            None if entry is None else _number(entry["test_error"])
            for entry in _entries(settings, runs, choices, arm)
        ]
        for arm in (*candidates, *controls)
    }
    names = [arm.name for arm in controls]
    return verdict(values, candidates[0].name, names).to_dict()


def sensitivity(
    settings: SemiSupervisedSettings, runs: Runs
) -> dict[str, dict[str, list[float]]]:
    """Method -> value -> test errors in % of the seeds that choose."""
    seeds = [str(s) for s in seeds_of(settings)[: settings.choice_seeds]]
    found: dict[str, dict[str, list[float]]] = {}
    for method in ("random", "vat", "generator", "bounded_generator"):
        for value in settings.grid(method):
            entries = runs.get(Trial(method, value).key, {})
            errors = [_number(entries[s]["test_error"]) for s in seeds if s in entries]
            if errors:
                found.setdefault(method, {})[f"{value:g}"] = errors
    return found


def meanings(settings: SemiSupervisedSettings) -> dict[str, str]:
    """Arm -> what it is, in words."""
    words = {}
    for arm in settings.arms:
        text = _WORDS[arm.method]
        if arm.value is not None:
            text += f" Its setting is fixed at {arm.value:g}."
        words[arm.name] = text
    return words


def notes(settings: SemiSupervisedSettings, runs: Runs, choices: Choices) -> list[str]:
    """What a reader must know beside the numbers."""
    protocol = settings.protocol
    found = [
        f"{protocol.labels} labels; every arm gets the same number of updates, each "
        f"of {protocol.labelled_batch} labelled and {protocol.unlabelled_batch} "
        "unlabelled samples."
    ]
    seeds = len(seeds_of(settings)[: settings.choice_seeds])
    for method, value in choices.items():
        errors = validation_errors(settings, runs, method)
        if math.isinf(errors[value]):
            found.append(
                f"{method}: {METHODS[method]} {value:g} was not chosen but comes "
                f"first: with each of {len(errors)} tried a training diverged, "
                f"{seeds} seeds."
            )
            continue
        tried = ", ".join(
            f"{v:g}: {'diverged' if math.isinf(e) else f'{e:.2f} %'}"
            for v, e in errors.items()
        )
        found.append(
            f"{method}: {METHODS[method]} {value:g} had the lowest mean error on "
            f"validation samples, which have labels, of {len(errors)} tried ({tried}), "
            f"{seeds} seeds.{edge_note(value, errors)}"
        )
    candidates, controls = _compared(settings)
    if controls and [arm.is_chosen for arm in candidates] == [False]:
        found.append(
            "Settings that stand in the names of the arms were fixed beforehand, not "
            "chosen in this run: the verdict is about these settings."
        )
    if settings.dataset == "circles":
        found += _notes_on_circles(settings)
    if settings.dataset in COLOUR:
        found.append(_note_on_colour(settings))
    if settings.dataset == "cifar10":
        found.append("CIFAR-10 may be a JPEG copy, depending on the folder it is in.")
    if _is_of_the_slides(settings):
        found.append(
            "The slides' numbers are of other labels and seeds; how many updates they "
            "took, and what their settings were chosen on, is not said."
        )
    return found


def _notes_on_circles(settings: SemiSupervisedSettings) -> list[str]:
    ratio = (1.0 - settings.factor) / (2.0 * settings.noise) if settings.noise else 99.0
    bayes = 50.0 * math.erfc(ratio / math.sqrt(2.0))
    return [
        f"The best classifier there is, a circle between the two, errs on about "
        f"{bayes:.2f} % (SPEC 7.2.5).",
        f"Labelled points: {settings.placement}. The slides do not say which points "
        "had a label, nor the radii or the unit of λ.",
    ]


def _note_on_colour(settings: SemiSupervisedSettings) -> str:
    protocol = settings.protocol
    shape = (protocol.side or PUBLISHED_SIDE,) * 2
    network = protocol.classifier((*shape, 3), 10)
    white = "ZCA-whitened: lengths are those of whitened images"
    return (
        f"Images of {shape[0]} x {shape[1]} pixels, "
        f"{white if protocol.whiten else 'not whitened'}. The 13-layer network begins "
        f"with {network.width} filters and drops out {network.dropout:g}; published "
        "are 32 x 32 pixels, 128 filters and 0.5, and many more updates."
    )


def _is_of_the_slides(settings: SemiSupervisedSettings) -> bool:
    return PAPER_LABELS.get(settings.dataset) == settings.protocol.labels


def _compared(settings: SemiSupervisedSettings) -> tuple[list[Arm], list[Arm]]:
    """Arms of the candidate, one where a verdict can be, and its controls."""
    method = settings.protocol.candidate
    own = [arm for arm in settings.arms if arm.method == method]
    chosen = [arm for arm in own if arm.is_chosen]
    more = f"{method}_entmin"  # More of the candidate is no control.
    others = [arm for arm in settings.arms if arm.method not in (method, more)]
    if chosen:
        return chosen, [arm for arm in others if arm.value is None]
    return own, others


def _paper(settings: SemiSupervisedSettings, arm: Arm) -> dict[str, Any] | None:
    noise = settings.noise if settings.dataset == "circles" else None
    found = PAPER.get((settings.dataset, noise), {}).get(arm.name)
    if found is None or not _is_of_the_slides(settings):
        return None
    return {"mean": found[0], "std": found[1]}


def _entries(
    settings: SemiSupervisedSettings, runs: Runs, choices: Choices, arm: Arm
) -> list[Mapping[str, Any] | None]:
    trial = trial_of(arm, choices)
    entries = runs.get(trial.key, {}) if trial else {}
    return [entries.get(str(seed)) for seed in seeds_of(settings)]


def _number(value: float | None) -> float:
    """A number of results.json, which has null where there was NaN."""
    return math.nan if value is None else float(value)
