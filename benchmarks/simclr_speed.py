"""What a SimCLR step costs beside its network, and whether augmentation keeps up.

    python benchmarks/simclr_speed.py [--widths 16,64] [--batch-size 128] [--repeats 5]

All figures are images/s of one run, each image with two views, timed in turns:

- `bare`: forward and backward pass of the ResNet-18 on two views, nothing else;
- `step`: a whole training step of `SimCLR.fit` (views, projection, loss, LARS);
- `augment`: drawing the two views alone.

`step / bare` (time) should be at most 1.1, `augment / step` (images/s) at least 5. Both
are medians of ratios of neighbours in time, once of the wall clock and once of the CPU
time of all threads, which the load of a shared machine hardly moves.
"""

import argparse
import time

import keras
import numpy as np
import tensorflow as tf

from uae_tf.models import ResNet18, SimCLR
from uae_tf.optimizers import LARS

SHAPE = (32, 32, 3)


def bare_step(encoder, views, jit_compile):
    """A compiled forward and backward pass, and no more."""

    @tf.function(jit_compile=jit_compile)
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(encoder(views, training=True))
        gradients = tape.gradient(loss, encoder.trainable_variables)
        # Something to wait for that needs every gradient.
        return tf.add_n([tf.reduce_sum(gradient) for gradient in gradients])

    return lambda: step().numpy()


def training_step(model, images):
    """The step that `fit` runs, on a batch that is there already."""
    data = iter(tf.data.Dataset.from_tensors((images,)).repeat())
    model.make_train_function()
    function = model.train_function
    return lambda: keras.tree.map_structure(np.array, function(data))


def augmentation(model, images, jit_compile):
    """Both views, drawn anew."""

    @tf.function(jit_compile=jit_compile)
    def draw():
        return [model.augment(images, training=True) for _ in range(2)]

    return lambda: draw()[1].numpy()


def measured(candidates, repeats, calls):
    """Seconds per call by the wall and by the CPU, (repeats, 2) each, in turns."""
    for call in candidates.values():
        call()
    seconds = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, call in candidates.items():
            start = np.array([time.perf_counter(), time.process_time()])
            for _ in range(calls[name]):
                call()
            end = np.array([time.perf_counter(), time.process_time()])
            seconds[name].append((end - start) / calls[name])
    return {name: np.array(values) for name, values in seconds.items()}


def ratio(numerators, denominators):
    """Median of the paired ratios, by the wall and by the CPU."""
    wall, cpu = np.median(numerators / denominators, axis=0)
    return f"{wall:.3g} / {cpu:.3g}"


def report(width, dtype, options):
    """Prints one row."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    batch_size, jit_compile = options.batch_size, options.jit_compile
    images = tf.constant(rng.random((batch_size, *SHAPE)), tf.float32)
    model = SimCLR(ResNet18(width=width, dtype=dtype), seed=0)
    model.compile(LARS(0.1), jit_compile=jit_compile)
    candidates = {
        "bare": bare_step(model.encoder, tf.tile(images, (2, 1, 1, 1)), jit_compile),
        "step": training_step(model, images),
        "augment": augmentation(model, images, jit_compile),
    }
    calls = {"bare": 1, "step": 1, "augment": 3}
    seconds = measured(candidates, options.repeats, calls)
    speed = {name: batch_size / np.median(s[:, 0]) for name, s in seconds.items()}
    overhead = ratio(seconds["step"], seconds["bare"])
    lead = ratio(seconds["step"], seconds["augment"])
    print(
        f"| {width} | {dtype} | {speed['bare']:.1f} | {speed['step']:.1f} "
        f"| {speed['augment']:.0f} | {overhead} | {lead} |",
        flush=True,
    )


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--widths", default="16,64")
    parser.add_argument("--dtypes", default="float32,mixed_bfloat16")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--jit-compile", action="store_true", help="by XLA")
    options = parser.parse_args()
    print(
        "| width | dtype | bare | step | augment | step / bare, wall / CPU "
        "| augment / step, wall / CPU |"
    )
    print("|---|---|---|---|---|---|---|")
    for width in map(int, options.widths.split(",")):
        for dtype in options.dtypes.split(","):
            report(width, dtype, options)


if __name__ == "__main__":
    main()
