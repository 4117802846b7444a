"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from .choices import Bound, Norm, Preset, SimilarityName, Target, Views

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of prepared data; default TFDS_DATA_DIR, then TFDS's."),
]
Samples = Annotated[
    int | None, typer.Option(min=1, help="Training samples; default all.")
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Epochs over the augmented data; default the recipe's."),
]
Seeds = Annotated[int, typer.Option(min=1, help="Repetitions.")]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with the run in --out; without it a finished one is replaced.",
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        min=0,
        help="Processes that share the seeds; 0: this one. For small models, which "
        "leave cores idle.",
    ),
]
PresetOption = Annotated[
    Preset, typer.Option(help="Start noise of the attack and its multiplier.")
]
SimilarityOption = Annotated[
    SimilarityName, typer.Option(help="MINE, or its closed form for Gaussian views.")
]
SimilarityWeight = Annotated[
    float, typer.Option(help="Factor of the similarity against the criterion.")
]
ViewsOption = Annotated[
    Views, typer.Option(help="Of MINE; auto: those of a first convolution, if any.")
]
BoundOption = Annotated[Bound, typer.Option(help="Of MINE, on mutual information.")]
NormOption = Annotated[
    Norm, typer.Option(help="Of the criterion: the paper's, or the code's.")
]
Steps = Annotated[int, typer.Option(min=1, help="Iterations of the attack.")]
TargetOption = Annotated[
    Target, typer.Option(help="What an augmented sample is reconstructed as.")
]
Copies = Annotated[
    int, typer.Option(min=1, help="Augmented copies per sample and round.")
]
Rounds = Annotated[
    int, typer.Option(min=1, help="Each round attacks the model of the last.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of the first repetition.")]
