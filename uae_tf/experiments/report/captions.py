"""What the page says around the figures it knows, in the order it shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Caption:
    """The title of a figure, a paragraph above it, and a line below it."""

    title: str
    lead: str = ""
    below: str = ""


CAPTIONS: Mapping[str, Caption] = {
    "errors": Caption(
        "Test error of every arm and seed",
        below="Large marks are means over seeds with their standard deviation, small "
        "dots single seeds. Arms that differ less than their seeds do are alike.",
    ),
    "learning_curves": Caption(
        "Training",
        "The contrastive loss of each epoch, and how often the nearest neighbours of a "
        "test image are of its class while the encoder is in training.",
        "Left, line: means over all seeds and, of more than five epochs, over five; "
        "faint: single epochs of single seeds. Losses of arms with easier images are "
        "lower by themselves.",
    ),
    "robustness": Caption(
        "Under an adversary",
        "How many test images the linear head still gives their class when each pixel "
        "may be changed by so much against it, encoder and head together (PGD).",
        "Means over seeds, of the first test images. An image that was wrong to begin "
        "with stays wrong. More steps would find more.",
    ),
    "embeddings": Caption(
        "Embeddings",
        "Features of test images in the plane (t-SNE by cosine, first seed). Colours "
        "are classes, which no encoder was told.",
        "Distances within a panel mean something, directions and sizes do not.",
    ),
    "retrieval": Caption(
        "Retrieval",
        "Test images, and the training images whose features are nearest to theirs "
        "(first seed).",
        "Blue frame: of the query's class. Orange and faded: of another one.",
    ),
    "examples": Caption(
        "Adversarial examples",
        "Training images, what the attack made of them with the first seed, and the "
        "change (largest over the channels). A success is no harder to tell from other "
        "images than x is.",
        "Below: Euclidean length of δ. A failed sample is replaced by x itself. Here "
        "success is on the attack's own augmentations, the table's ASR on others.",
    ),
    "selection": Caption(
        "Selected pixels",
        "What each arm selected with the first seed, on the mean of the training "
        "images.",
        "A pixel that two units selected is marked once.",
    ),
    "gallery": Caption(
        "Gallery",
        "Samples of the training data, and what the attack made of them with the first "
        "seed. A good example looks unlike x, while the model returns x from it.",
        "The attack succeeds where the number below Φ(x + δ) is no larger than the one "
        "below Φ(x). A failed sample is replaced by x itself: δ is 0.",
    ),
    "boundaries": Caption(
        "Decision boundaries",
        "What the classifiers of the first seed predict over the plane. Large marks "
        "are the labelled points, small dots the unlabelled ones.",
        "The line is where the prediction changes; the number is the test error.",
    ),
    "generated": Caption(
        "Generated examples",
        "Test samples, what the generator of the first seed makes of each with several "
        "noise vectors z, and the change. Unlike a step along a gradient, a change of "
        "the code need not be pixel-wise.",
        "Sorted into kinds of change by rules of thumb, the clearest first.",
    ),
    "sensitivity": Caption(
        "Sensitivity to the setting",
        "The trainings that the settings were chosen by. The slides claim that the "
        "generator depends less on λ than VAT on ε.",
        "Line: mean over seeds. Dots: single seeds.",
    ),
    "convergence": Caption(
        "Convergence of the attack",
        "How far the attack is from success (f, at or below 0 is success), how alike "
        "x and x + δ still are, and how strongly the attack weighs f against that "
        "(first seed).",
        "Line: median over samples. Band: 10th to 90th percentile.",
    ),
    "search": Caption(
        "Success and mutual information by iteration",
        "The paper's Figure 2: what each method has found after so many iterations.",
        "Mean over images; of the MI, over those that have a success by then. The "
        "penalty method starts a new descent, with a new critic, at equal intervals.",
    ),
    "sweep": Caption(
        "Examples as the bound grows",
        "The paper's Figure 3.",
        "A thick frame marks a failure: the image is still classified as it was.",
    ),
    "curves": Caption(
        "Success, length and likeness as the bound grows",
        below="Length and SSIM are means over the images the attack succeeded on.",
    ),
    "distances": Caption(
        "Distance to the training images",
        below="Large marks are means, small dots single runs. Clean test images show "
        "what their number alone gives; noise images are the ceiling.",
    ),
    "attacked": Caption(
        "Examples",
        "The first images, and what each attack makes of them.",
        "A thick frame marks a failure.",
    ),
    "examples_plain": Caption(
        "Examples against the plain classifier", below="A thick frame marks a failure."
    ),
    "examples_robust": Caption(
        "Examples against the robust classifier",
        below="A thick frame marks a failure.",
    ),
    "histogram": Caption(
        "Relative change of the loss",
        "How much better or worse the attacked model does on the perturbed sample "
        "(first seed). A pile just left of 0 is a success that means little; far left "
        "is a strong one.",
    ),
}
