"""What selecting costs: a concrete autoencoder's epoch against its decoder's alone.

Trains on MNIST's shapes (K 50, decoder 320-320, batch 256) in pairs, in one process:
the concrete autoencoder, and the same decoder fed the first 50 pixels. Prints the ratio
of times per epoch, median over the pairs; it should be at most 1.5. Where other
processes share the machine, the ratio of processor times is the one to read.

Usage: python benchmarks/concrete_overhead.py [--samples 60000] [--pairs 5]
"""

import argparse
import time

import keras
import numpy as np

from uae_tf.models import ConcreteAutoencoder, concrete_decoder

FEATURES, PIXELS, BATCH_SIZE = 50, 784, 256


class FirstFeatures(keras.layers.Layer):
    """Stands where the selection stands, and learns nothing."""

    def call(self, inputs):
        return inputs[:, :FEATURES]


def compiled(model):
    """The model, ready to be trained."""
    model.compile(keras.optimizers.Adam(1e-3), "mse", jit_compile=False)
    return model


def models(embedding_dim):
    """The concrete autoencoder, and its decoder without the selection."""
    plain = keras.Sequential(
        [keras.Input((PIXELS,)), FirstFeatures(), concrete_decoder(PIXELS)]
    )
    concrete = ConcreteAutoencoder(
        FEATURES, input_shape=(PIXELS,), embedding_dim=embedding_dim
    )
    return compiled(plain), compiled(concrete)


def epoch_seconds(model, x):
    """Wall and processor seconds of one epoch."""
    start = time.perf_counter(), time.process_time()
    model.fit(x, x, batch_size=BATCH_SIZE, epochs=1, verbose=0)
    return time.perf_counter() - start[0], time.process_time() - start[1]


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()

    x = np.random.default_rng(0).random((arguments.samples, PIXELS), np.float32)
    for embedding_dim in (None, 64):
        pair = models(embedding_dim)
        for model in pair:
            model.fit(x[:BATCH_SIZE], x[:BATCH_SIZE], batch_size=BATCH_SIZE, verbose=0)
        seconds = np.array(
            [[epoch_seconds(m, x) for m in pair] for _ in range(arguments.pairs)]
        )
        for clock, name in enumerate(("wall", "processor")):
            plain, concrete = seconds[:, :, clock].T
            ratio = np.median(concrete / plain)
            print(
                f"embedding_dim {embedding_dim}, {name}: decoder alone "
                f"{np.median(plain):.2f} s, concrete {np.median(concrete):.2f} s an "
                f"epoch; ratio {ratio:.2f}, wanted 1.5"
            )


if __name__ == "__main__":
    main()
