"""Train every recipe on MNIST and print its test error beside the paper's.

python benchmarks/recipe_check.py --data-dir FOLDER
python benchmarks/recipe_check.py --data-dir FOLDER --models dense conv --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import keras

from uae_tf import datasets, models

HEADER = (
    "| model | recipe | epochs | updates | seed | test MSE | paper | wall time |\n"
    "|---|---|---|---|---|---|---|---|"
)


def check(
    data: datasets.Dataset, kind: str, recipe: str, seed: int, epochs: int | None
) -> dict:
    """Train one recipe from one seed and measure it on the test split."""
    keras.utils.set_random_seed(seed)
    model = models.build(kind, data.sample_shape, recipe=recipe)
    settings = model.recipe
    epochs = epochs or settings.epochs
    start = time.perf_counter()
    model.fit(data.x_train, epochs=epochs, batch_size=settings.batch_size, verbose=0)
    seconds = time.perf_counter() - start
    result = model.evaluate(data.x_test, batch_size=500, verbose=0, return_dict=True)
    return {
        "model": kind,
        "recipe": recipe,
        "epochs": epochs,
        "updates": int(model.optimizer.iterations),
        "seed": seed,
        "test_mse": result["mse"],
        "paper_mse": settings.paper_mse,
        "seconds": seconds,
        "log": result,
    }


def row(result: dict) -> str:
    """Format one result as a line of the table."""
    paper = f"{result['paper_mse']:.5f}" if result["paper_mse"] else "-"
    return (
        f"| {result['model']} | {result['recipe']} | {result['epochs']} "
        f"| {result['updates']:,} | {result['seed']} | {result['test_mse']:.5f} "
        f"| {paper} | {result['seconds'] / 60:.1f} min |"
    )


def main() -> None:
    """Run the checks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", default=None, help="folder of the prepared sets")
    parser.add_argument("--dataset", default="mnist", choices=datasets.names())
    kinds = ["dense", "sparse", "conv", "adversarial"]
    parser.add_argument("--models", nargs="+", default=kinds, choices=kinds)
    recipes = ["paper", "modern"]
    parser.add_argument("--recipes", nargs="+", default=recipes, choices=recipes)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--samples", type=int, help="first N of the training split")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's number")
    parser.add_argument("--out", type=Path, help="JSON file, one result a line")
    options = parser.parse_args()

    data = datasets.load(options.dataset, options.data_dir, options.samples)
    print(data, HEADER, sep="\n", flush=True)
    for kind in options.models:
        for recipe in options.recipes:
            for seed in options.seeds:
                result = check(data, kind, recipe, seed, options.epochs)
                print(row(result), flush=True)
                if options.out:
                    with options.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
