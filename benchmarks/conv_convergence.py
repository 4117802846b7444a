"""Does the convolutional "paper" recipe stop short of convergence, or not settle?

Trains it for longer than its 20 epochs and prints the test error on the way, of the
weights as they are and of their running average, which takes out the swing that
Adadelta's constant rate of 1.0 keeps up.

python benchmarks/conv_convergence.py --data-dir FOLDER
"""

from __future__ import annotations

import argparse

import keras
import numpy as np

from uae_tf import datasets
from uae_tf.models import ConvolutionalAutoencoder

BATCH_SIZE = 100


class Curve(keras.callbacks.Callback):
    """Prints the test error every few epochs, without and with averaged weights."""

    def __init__(self, x_test: np.ndarray, seed: int, every: int) -> None:
        super().__init__()
        self.x_test = x_test
        self.seed = seed
        self.every = every

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if (epoch + 1) % self.every:
            return
        plain = self.error()
        own = self.model.get_weights()
        # The averages follow the order of the trainable variables: all there are here.
        self.model.set_weights(
            [
                keras.ops.convert_to_numpy(average)
                for average in self.model.optimizer._model_variables_moving_average
            ]
        )
        averaged = self.error()
        self.model.set_weights(own)
        row = f"| {self.seed} | {epoch + 1} | {plain:.5f} | {averaged:.5f} |"
        print(row, flush=True)

    def error(self) -> float:
        """Mean squared error per pixel on the test images."""
        found = self.model.predict(self.x_test, batch_size=500, verbose=0)
        return float(np.mean(np.square(found - self.x_test)))


def main() -> None:
    """Trains from every seed that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", default=None)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    data = datasets.load("mnist", options.data_dir)
    print("| seed | epochs | test MSE | of averaged weights |\n|---|---|---|---|")
    for seed in options.seeds:
        keras.utils.set_random_seed(seed)
        model = ConvolutionalAutoencoder(data.sample_shape)
        optimizer = keras.optimizers.Adadelta(1.0, use_ema=True, ema_momentum=0.999)
        # XLA trains it slower on a CPU.
        model.compile(optimizer, "binary_crossentropy", jit_compile=False)
        curve = Curve(data.x_test, seed, options.every)
        model.fit(
            data.x_train,
            batch_size=BATCH_SIZE,
            epochs=options.epochs,
            callbacks=[curve],
            verbose=0,
        )


if __name__ == "__main__":
    main()
