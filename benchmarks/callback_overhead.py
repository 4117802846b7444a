"""What `AugmentedDataset` and `UAECallback` cost where nothing is regenerated.

Trains the dense autoencoder 784-128-784 at batch 128 in turns, in one process: plain
`fit` on an array of 2 N rows, `fit` on an `AugmentedDataset` with 2 N slots and the
callback, and the same through `as_tf_data()`. Prints the ratio of times per epoch,
median over the turns; it should be at most 1.05. Where other processes share
the machine, the ratio of processor times is the one to read. Beside it, what `retrain`
makes of the same updates.

Usage: python benchmarks/callback_overhead.py [--samples 10000] [--pairs 20]
"""

import argparse
import time

import keras
import numpy as np

from uae_tf.attacks import GaussianNoise
from uae_tf.training import AugmentedDataset, UAECallback, retrain

BATCH_SIZE = 128


class EpochTimer(keras.callbacks.Callback):
    """Measures from the first line of an epoch to the last."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter(), time.process_time()
        self.seconds.append([b - a for a, b in zip(self.start, now, strict=True)])


def dense_autoencoder():
    """The paper's dense shape, compiled."""
    model = keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(128, "relu"),
            keras.layers.Dense(784, "sigmoid"),
        ]
    )
    model.compile("adam", "mse")
    return model


def paired_epochs(samples, pairs):
    """Seconds `(pairs, 3, 2)`: plain, `fit(data)`, tf.data; wall, processor."""
    x = np.random.default_rng(0).random((samples, 784), np.float32)
    doubled = np.concatenate([x, x])
    data = AugmentedDataset(x, batch_size=BATCH_SIZE)
    callback = UAECallback(data, GaussianNoise(0.1), phase_epochs=10**9)
    piped_data = AugmentedDataset(x, batch_size=BATCH_SIZE)
    piped_callback = UAECallback(piped_data, GaussianNoise(0.1), phase_epochs=10**9)
    plain, ours, piped = (dense_autoencoder() for _ in range(3))
    seconds = []
    for pair in range(pairs + 1):
        timers = EpochTimer(), EpochTimer(), EpochTimer()
        runs = [
            lambda t=timers[0]: plain.fit(
                doubled, doubled, BATCH_SIZE, epochs=2, verbose=0, callbacks=[t]
            ),
            # The timer comes first, so what the callback does before an epoch counts.
            lambda t=timers[1]: ours.fit(
                data, epochs=2, verbose=0, callbacks=[t, callback]
            ),
            lambda t=timers[2]: piped.fit(
                piped_data.as_tf_data(),
                epochs=2,
                verbose=0,
                callbacks=[t, piped_callback],
            ),
        ]
        for run in runs if pair % 2 else reversed(runs):
            run()
        seconds.append([np.min(timer.seconds, axis=0) for timer in timers])
    return np.array(seconds[1:])


def updates_per_second(samples, updates):
    """Plain `fit` and `retrain`, model building and tracing included."""
    x = np.random.default_rng(0).random((samples, 784), np.float32)
    start = time.perf_counter()
    retrain(dense_autoencoder, x, updates=updates, batch_size=BATCH_SIZE)
    ours = time.perf_counter() - start
    epochs = updates * BATCH_SIZE // samples
    start = time.perf_counter()
    history = dense_autoencoder().fit(x, x, BATCH_SIZE, epochs=epochs, verbose=0)
    plain = time.perf_counter() - start
    made = history.params["steps"] * epochs
    return made / plain, updates / ours


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--updates", type=int, default=1500)
    arguments = parser.parse_args()

    seconds = paired_epochs(arguments.samples, arguments.pairs)
    steps = -(-2 * arguments.samples // BATCH_SIZE)
    for clock, name in enumerate(("wall", "processor")):
        plain, *others = seconds[:, :, clock].T
        print(f"{name:9} plain fit: {1e3 * np.median(plain) / steps:.3f} ms per update")
        for label, ours in zip(("fit(data)", "as_tf_data"), others, strict=True):
            low, middle, high = np.quantile(ours / plain, [0.25, 0.5, 0.75])
            print(
                f"{name:9} {label:10} {1e3 * np.median(ours) / steps:.3f} ms; ratio "
                f"{middle:.3f} (quartiles {low:.3f}, {high:.3f}), wanted 1.05"
            )
    for samples in (2_000, 6_000):
        plain_rate, our_rate = updates_per_second(samples, arguments.updates)
        print(
            f"{samples} rows: fit {plain_rate * BATCH_SIZE:,.0f} samples/s, retrain "
            f"{our_rate * BATCH_SIZE:,.0f} samples/s, ratio {our_rate / plain_rate:.2f}"
        )


if __name__ == "__main__":
    main()
