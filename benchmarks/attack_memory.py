"""Peak memory of an attack against the number of samples.

    python benchmarks/attack_memory.py [--few 1000] [--many 10000] [--steps 5]

Each size runs in a process of its own. Samples and examples (the data itself) are
subtracted; the ratio is what is left. Few steps are enough: memory does not depend on
their number, as the loop's gradients are taken step by step.
"""

import argparse
import resource
import subprocess
import sys

SHAPE = (28, 28, 1)


def child(count, steps):
    """Attacks ``count`` samples and prints the peak, in MB, beyond the data."""
    import numpy as np

    import uae_tf

    x = np.random.default_rng(0).random((count, *SHAPE), dtype="float32")
    model = uae_tf.models.build("conv", SHAPE)
    attack = uae_tf.MinMaxAttack(uae_tf.Reconstruction(model), steps=steps)
    result = attack(x, batch_size=256)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    data = (x.nbytes + result.examples.nbytes) / 2**20
    print(f"{peak:.1f} {data:.1f}")


def measure(count, steps):
    """Peak MB beyond the data, of a process of its own."""
    arguments = [sys.executable, __file__, "--child", str(count), "--steps", str(steps)]
    output = subprocess.run(arguments, check=True, capture_output=True, text=True)
    peak, data = map(float, output.stdout.split()[-2:])
    print(f"{count:>7} samples: peak {peak:.0f} MB, of which data {data:.0f} MB")
    return peak - data


def main():
    """Prints both sizes and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=10000)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.steps)
        return
    few, many = (measure(n, options.steps) for n in (options.few, options.many))
    print(f"beyond the data: {many / few:.3f} times")


if __name__ == "__main__":
    main()
