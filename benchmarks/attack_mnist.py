"""Attacks MNIST's training images with the default attack, and checks every success.

    python benchmarks/attack_mnist.py [--data-dir DIR] [--samples 60000] [--epochs 5]

Trains the convolutional autoencoder for some epochs, attacks, and re-evaluates f of
every example by plain forward passes outside the attack.
"""

import argparse
import time

import keras
import numpy as np

import uae_tf
from uae_tf.evaluation import reconstruction_errors


def main():
    """Prints training, throughput, success rate and the independent check."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir")
    parser.add_argument("--samples", type=int, default=60000)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    data = uae_tf.datasets.load("mnist", options.data_dir)
    keras.utils.set_random_seed(0)
    model = uae_tf.models.build("conv", data.sample_shape, recipe="modern")
    model.fit(data.x_train, epochs=options.epochs, batch_size=100, verbose=2)
    print(
        f"test MSE {reconstruction_errors(model, data.x_test).mean():.5f}", flush=True
    )

    attack = uae_tf.MinMaxAttack(uae_tf.Reconstruction(model))
    x = data.x_train[: options.samples]
    started, cpu = time.perf_counter(), time.process_time()
    result = attack(x, batch_size=256, progress=True)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(result)
    print(
        f"{len(x)} samples in {seconds:.0f} s ({cpu:.0f} s of processor time): "
        f"{len(x) / seconds:.1f} samples/s, {attack.num_traces} trace"
    )
    f, baseline = attack.criterion.evaluate(x, result.examples)
    wrong = int(np.sum(result.success & (f > 1e-6 * baseline)))
    print(
        f"success rate {result.success_rate:.4f}; successes that an independent "
        f"evaluation does not confirm: {wrong}; mean L2 {result.l2.mean():.3f}, "
        f"mean relative loss change {np.mean(f / baseline):+.4f}"
    )


if __name__ == "__main__":
    main()
