"""Attack throughput against the gradient-only floor and foolbox, in one run.

    python benchmarks/attack_speed.py [--batches 1,16,64,256] [--repeats 3]

Prints samples/s and sample-steps/s for MNIST shapes, and every figure as a ratio to
the gradient-only loop (the same loop without a similarity term) of the same batch
size, timed in turn with it: absolute numbers move with the machine, ratios hardly do.
foolbox's LinfPGD runs the same number of steps on the same model.
"""

import argparse
import os
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

import uae_tf

STEPS = 40
SHAPE = (28, 28, 1)
#: Samples per timed call, by batch size: a second or so each.
SAMPLES = {1: 4, 16: 32, 64: 128, 256: 512}


class FoolboxPGD:
    """foolbox's LinfPGD, its loss replaced by the reconstruction error."""

    def __init__(self, model):
        import eagerpy
        import foolbox

        class ReconstructionPGD(foolbox.attacks.LinfPGD):
            def get_loss_fn(self, wrapped, labels):
                # It ascends this loss, and labels carry the clean samples.
                def loss(examples):
                    error = tf.reshape(labels.raw - wrapped(examples).raw, (-1, 784))
                    return eagerpy.astensor(-tf.reduce_sum(tf.norm(error, axis=1)))

                return loss

        self.model = foolbox.TensorFlowModel(model, bounds=(0, 1))
        self.attack = ReconstructionPGD(steps=STEPS)
        self.criterion = foolbox.criteria.Misclassification

    def __call__(self, x, batch_size):
        """Attacks ``x`` batch by batch."""
        for start in range(0, len(x), batch_size):
            batch = tf.constant(x[start : start + batch_size])
            self.attack.run(self.model, batch, self.criterion(batch), epsilon=0.3)


def attacks(kind, model):
    """Name -> attack; the floor first."""
    criterion = uae_tf.Reconstruction(model)
    found = {"gradient only": uae_tf.MinMaxAttack(criterion, None, steps=STEPS)}
    found["PGDAttack"] = uae_tf.PGDAttack(criterion, steps=STEPS)
    found["MINE"] = uae_tf.MinMaxAttack(criterion, steps=STEPS)
    if kind == "dense":
        found["GaussianMI"] = uae_tf.MinMaxAttack(
            criterion, uae_tf.GaussianMI(), steps=STEPS
        )
    found["foolbox LinfPGD"] = FoolboxPGD(model)
    return found


def seconds(attack, x, batch_size):
    """Wall time of one call."""
    started = time.perf_counter()
    attack(x, batch_size=batch_size)
    return time.perf_counter() - started


def measure(kind, model, batch_size, repeats):
    """Samples/s of each attack and its ratio to the floor, paired repeat by repeat."""
    count = SAMPLES.get(batch_size, 2 * batch_size) * (4 if kind == "dense" else 1)
    x = np.random.default_rng(0).uniform(size=(count, *SHAPE)).astype("float32")
    contenders = attacks(kind, model)
    for attack in contenders.values():
        attack(x[:batch_size], batch_size=batch_size)  # Trace and compile.
    times = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, attack in contenders.items():
            times[name].append(seconds(attack, x, batch_size))
    floor = times["gradient only"]
    for name, taken in times.items():
        rate = count / statistics.median(taken)
        ratio = statistics.median(f / t for f, t in zip(floor, taken, strict=True))
        yield name, rate, ratio


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batches", default="1,16,64,256")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(f"T {STEPS}, MNIST shapes, {os.cpu_count()} processors")
    print("model  batch  attack            samples/s  sample-steps/s  ratio to floor")
    rates = {}
    for kind in ("conv", "dense"):
        keras.utils.set_random_seed(0)
        model = uae_tf.models.build(kind, SHAPE)
        for batch_size in map(int, options.batches.split(",")):
            for name, rate, ratio in measure(kind, model, batch_size, options.repeats):
                rates[kind, batch_size, name] = rate
                print(
                    f"{kind:<6} {batch_size:>5}  {name:<16} {rate:>10.1f} "
                    f"{rate * STEPS:>15.0f} {ratio:>15.3f}",
                    flush=True,
                )
    for kind in ("conv", "dense"):
        one, many = rates.get((kind, 1, "MINE")), rates.get((kind, 256, "MINE"))
        if one and many:
            print(f"{kind}: MINE, batch 256 against batch 1: {many / one:.1f}x")


if __name__ == "__main__":
    main()
