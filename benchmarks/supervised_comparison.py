"""Our attacks beside foolbox's and ART's: the same images, model, bounds, in one run.

    python -m pip install -e '.[benchmarks]'
    python benchmarks/supervised_comparison.py [--data-dir FOLDER] [--samples 50]

Prints two tables. The first: what each attack reaches on the same correctly classified
MNIST test images, measured outside of the attacks and alike for all. The second:
sample-steps per second, a sample-step being one iteration for one image, as ratios
within this run: MinMax against foolbox's Carlini-Wagner, against PGD (the gradients of
the classifier alone), and against a loop that attacks one image after the other with
the very same attack.
"""

import argparse
import dataclasses
import json
import os
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import uae_tf
from uae_tf.evaluation import CriticInformation, structural_similarity
from uae_tf.experiments.supervised.bench import load_classifier

EPSILON, PGD_STEPS, PGD_STEP_SIZE = 0.3, 40, 0.01
SEARCH_STEPS = 9


@dataclasses.dataclass
class Contender:
    """An attack on (x, y) that returns examples, and what its norms are."""

    name: str
    goal: str
    run: object


def ours(model, steps):
    """PGD as usual, MinMax and penalty method with all of ``steps`` iterations."""
    margin = uae_tf.UntargetedMargin(model)
    similarity = uae_tf.MINE(inner_steps=1)
    start = {"epsilon": 1.0, "initial_noise": 0.0}
    attacks = {
        f"uae_tf PGD-{PGD_STEPS}": uae_tf.PGDAttack(
            margin, epsilon=EPSILON, steps=PGD_STEPS, step_size=PGD_STEP_SIZE
        ),
        f"uae_tf MinMax {steps}": uae_tf.MinMaxAttack(
            margin, similarity, steps=steps, initial_multiplier=0.0, **start
        ),
        f"uae_tf penalty {SEARCH_STEPS}x{steps // SEARCH_STEPS}": uae_tf.PenaltyAttack(
            margin,
            similarity,
            steps=steps // SEARCH_STEPS,
            search_steps=SEARCH_STEPS,
            **start,
        ),
    }

    def runner(attack):
        return lambda x, y: attack(x, y, batch_size=len(x)).examples

    goals = ("any in the ball", "most MI", "most MI")
    return [
        Contender(name, goal, runner(attack))
        for goal, (name, attack) in zip(goals, attacks.items(), strict=True)
    ]


def foolboxes(model, steps):
    """LinfPGD with our steps, and L2 Carlini-Wagner with as many iterations."""
    import foolbox

    wrapped = foolbox.TensorFlowModel(model, bounds=(0, 1), device="/CPU:0")
    pgd = foolbox.attacks.LinfPGD(abs_stepsize=PGD_STEP_SIZE, steps=PGD_STEPS)
    each = steps // SEARCH_STEPS
    cw = foolbox.attacks.L2CarliniWagnerAttack(SEARCH_STEPS, each, abort_early=False)

    def runner(attack, epsilon):
        def run(x, y):
            _, clipped, _ = attack(
                wrapped, tf.constant(x), tf.constant(y), epsilons=epsilon
            )
            return clipped.numpy()

        return run

    return [
        Contender(f"foolbox LinfPGD-{PGD_STEPS}", "any in the ball", runner(pgd, 0.3)),
        Contender(f"foolbox C&W {SEARCH_STEPS}x{each}", "least L2", runner(cw, None)),
    ]


def arts(model, steps):
    """The same two of the Adversarial Robustness Toolbox."""
    from art.attacks.evasion import CarliniL2Method, ProjectedGradientDescent
    from art.estimators.classification import TensorFlowV2Classifier

    wrapped = TensorFlowV2Classifier(
        model,
        nb_classes=10,
        input_shape=model.input_shape[1:],
        loss_object=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        clip_values=(0.0, 1.0),
    )
    pgd = ProjectedGradientDescent(
        wrapped,
        eps=EPSILON,
        eps_step=PGD_STEP_SIZE,
        max_iter=PGD_STEPS,
        num_random_init=1,
        batch_size=256,
        verbose=False,
    )
    each = steps // SEARCH_STEPS
    cw = CarliniL2Method(
        wrapped,
        binary_search_steps=SEARCH_STEPS,
        max_iter=each,
        batch_size=256,
        verbose=False,
    )
    return [
        Contender(f"ART PGD-{PGD_STEPS}", "any in the ball", pgd.generate),
        Contender(f"ART C&W {SEARCH_STEPS}x{each}", "least L2", cw.generate),
    ]


def reached(model, judge, x, y, contender):
    """The row of an attack; lengths and likeness over its successes."""
    started = time.perf_counter()
    examples = np.asarray(contender.run(x, y), np.float32)
    seconds = time.perf_counter() - started
    success = model.predict(examples, verbose=0).argmax(axis=1) != y
    delta = (examples - x).reshape(len(x), -1)[success]
    ssim = structural_similarity(x, examples)[success]
    information = judge(x, examples)[success]

    def mean(values):
        return float(np.mean(values)) if len(values) else float("nan")

    return {
        "attack": contender.name,
        "looks for": contender.goal,
        "ASR %": 100.0 * success.mean(),
        "L2": mean(np.linalg.norm(delta, axis=1)),
        "Linf": mean(np.abs(delta).max(axis=1, initial=0.0)),
        "SSIM": mean(ssim),
        "MI (nats)": mean(information),
        "ms per image": 1e3 * seconds / len(x),
    }


def rate(run, x, y, steps, repeats=3):
    """Sample-steps per second, the median of a few calls after a first one."""
    run(x, y)
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        run(x, y)
        taken.append(time.perf_counter() - started)
    return steps * len(x) / float(np.median(taken))


def speeds(model, x, y, steps):
    """Sample-steps per second of every batch size, and of loops over single images."""
    import foolbox

    margin = uae_tf.UntargetedMargin(model)

    def minmax():
        # The warm-up is paid once an attack, whatever its iterations: not timed here.
        similarity = uae_tf.MINE(inner_steps=1, warmup_steps=0)
        return uae_tf.MinMaxAttack(margin, similarity, steps=steps, initial_noise=0.0)

    def batched(attack):
        return lambda x, y: attack(x, y, batch_size=len(x))

    def one_by_one(make):
        def run(x, y):
            for i in range(len(x)):
                make()(x[i : i + 1], y[i : i + 1], batch_size=1)

        return run

    wrapped = foolbox.TensorFlowModel(model, bounds=(0, 1), device="/CPU:0")
    cw = foolbox.attacks.L2CarliniWagnerAttack(1, steps, abort_early=False)

    def foolbox_cw(x, y):
        cw(wrapped, tf.constant(x), tf.constant(y), epsilons=None)

    kept = minmax()
    # No similarity at all: what no attack with one can be faster than.
    gradients = uae_tf.PGDAttack(margin, steps=steps)
    rates = {}
    for size in (16, 64, 256):
        if size <= len(x):
            rates[f"MinMax, batch {size}"] = rate(
                batched(minmax()), x[:size], y[:size], steps
            )
            rates[f"PGD, batch {size}"] = rate(
                batched(gradients), x[:size], y[:size], steps
            )
            rates[f"foolbox C&W, batch {size}"] = rate(
                foolbox_cw, x[:size], y[:size], steps
            )
    rates["MinMax, image by image, traced once"] = rate(
        one_by_one(lambda: kept), x[:4], y[:4], steps
    )
    rates["PGD, image by image, traced once"] = rate(
        one_by_one(lambda: gradients), x[:4], y[:4], steps
    )
    rates["MinMax, image by image, traced for each"] = rate(
        one_by_one(minmax), x[:2], y[:2], steps, repeats=1
    )
    rates["foolbox C&W, image by image"] = rate(
        lambda x, y: [foolbox_cw(x[i : i + 1], y[i : i + 1]) for i in range(len(x))],
        *(x[:2], y[:2], steps),
        repeats=1,
    )
    return rates


def show(rows):
    """Prints rows as a Markdown table."""
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows:
        cells = (v if isinstance(v, str) else f"{v:.4g}" for v in row.values())
        print("| " + " | ".join(cells) + " |", flush=True)


def main():
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir")
    parser.add_argument("--classifier", default="models/mnist_classifier/1")
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--steps", type=int, default=180)
    parser.add_argument("--speed-steps", type=int, default=20)
    parser.add_argument("--speed-samples", type=int, default=256)
    parser.add_argument("--out", type=Path, help="Folder for results.json.")
    options = parser.parse_args()
    model = load_classifier(options.classifier)
    data = uae_tf.datasets.load("mnist", options.data_dir)
    right = model.predict(data.x_test[:2000], verbose=0).argmax(1) == data.y_test[:2000]
    x, y = data.x_test[:2000][right], data.y_test[:2000][right]
    print(f"{options.samples} images, {os.cpu_count()} processors")
    contenders = [
        *ours(model, options.steps),
        *foolboxes(model, options.steps),
        *arts(model, options.steps),
    ]
    part = slice(0, options.samples)
    judge = CriticInformation(model)
    rows = [reached(model, judge, x[part], y[part], each) for each in contenders]
    show(rows)
    part = slice(0, options.speed_samples)
    rates = speeds(model, x[part], y[part], options.speed_steps)
    best = max(v for name, v in rates.items() if name.startswith("MinMax, batch"))
    show(
        [
            {"run": name, "sample-steps/s": value, "best MinMax over it": best / value}
            for name, value in rates.items()
        ]
    )
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"attacks": rows, "sample_steps_per_second": rates}, indent=2)
        (options.out / "results.json").write_text(text + "\n")


if __name__ == "__main__":
    # ART says on import which of its parts it will do without.
    warnings.simplefilter("ignore")
    main()
