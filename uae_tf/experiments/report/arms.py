"""What each arm of a comparison is, in words; one source for page and figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

CONTROL = "control"
ADVERSARIAL = "UAE"


@dataclasses.dataclass(frozen=True)
class Arm:
    """An arm as a reader meets it.

    Args:
        name: the name in results.json.
        kind: `CONTROL`, or `ADVERSARIAL` where the added samples come from an attack.
        meaning: one or two sentences: what is added, and what the arm rules out.
    """

    name: str
    kind: str
    meaning: str


_KNOWN = (
    Arm(
        "untrained",
        CONTROL,
        "The encoder as it was initialised, without any training: what the shape of "
        "the network is worth by itself. No part of the verdict.",
    ),
    Arm(
        "original",
        CONTROL,
        "The training data as they are: N samples. The other arms add as many.",
    ),
    Arm(
        "original_short",
        CONTROL,
        "The same with the plain recipe's number of epochs and so with fewer updates, "
        "as the literature does it. No fair control: it shows how much of a gain over "
        "it is longer training alone.",
    ),
    Arm(
        "duplicated",
        CONTROL,
        "Every sample twice. Rules out that a data set of twice the size, and what "
        "comes with it (batches, learning-rate schedule), is all that helps.",
    ),
    Arm(
        "gaussian_0.01",
        CONTROL,
        "A copy of each sample with Gaussian noise of standard deviation 0.01, the "
        "paper's stronger noise baseline.",
    ),
    Arm(
        "gaussian_0.001",
        CONTROL,
        "The same with 0.001, the paper's weaker one.",
    ),
    Arm(
        "gaussian_tuned",
        CONTROL,
        "The same with the standard deviation that did best on a validation split, of "
        "those that the notes name: random noise at its best, not of an arbitrary "
        "size.",
    ),
    Arm(
        "start_noise",
        CONTROL,
        "The attack's random starting point without the attack. Shows what the "
        "search itself adds to its start.",
    ),
    Arm(
        "matched_noise",
        CONTROL,
        "Gaussian noise that, after clipping, is for every sample as large (L2) as "
        "its UAE perturbation. Rules out that only the size of the change matters.",
    ),
    Arm(
        "criterion_only",
        ADVERSARIAL,
        "The same attack with the similarity term switched off: it only asks that the "
        "loss does not rise. What mine_uae gains beyond this arm is what mutual "
        "information earns.",
    ),
    Arm(
        "clae",
        CONTROL,
        "The baseline from the literature (Ho and Vasconcelos, 2020): in each update "
        "an adversarial example of the first view, one step of its gradient's sign "
        "away, as a third view. No samples are added; an update takes twice as long.",
    ),
    Arm(
        "l2_uae",
        ADVERSARIAL,
        "The same attack with an L2 distance in place of mutual information, the "
        "paper's second baseline.",
    ),
    Arm(
        "mine_uae",
        ADVERSARIAL,
        "The method under test: the loss must not rise, and the mutual information "
        "between sample and example is made as small as possible.",
    ),
    Arm(
        "conventional",
        CONTROL,
        "A conventionally augmented copy of each sample: flipped, rotated or noisy.",
    ),
    Arm(
        "conventional_mine_uae",
        ADVERSARIAL,
        "Conventionally augmented copies and UAEs together.",
    ),
)
ARMS: Mapping[str, Arm] = {arm.name: arm for arm in _KNOWN}


def kind_of(name: str) -> str:
    """Tell whether an arm adds adversarial examples.

    Args:
        name: the arm's name; one that is not in `ARMS` is judged by its ending.

    Returns:
        `CONTROL` or `ADVERSARIAL`.

    Example:
        >>> kind_of("start_noise"), kind_of("mine_uae"), kind_of("my_uae")
        ('control', 'UAE', 'UAE')
    """
    if name in ARMS:
        return ARMS[name].kind
    trained_against = ("vat", "generator", "bounded_generator")
    is_adversarial = name.endswith("uae") or name.startswith(trained_against)
    return ADVERSARIAL if is_adversarial else CONTROL
