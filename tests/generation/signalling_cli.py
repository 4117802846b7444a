"""The command line, with an attack that may send a signal; see generation_samples."""

import os
import signal
import sys

from uae_tf import Reconstruction, cli
from uae_tf.commands import generate
from uae_tf.generation import run


def attack(model, *_, **__):
    # Found as the neighbour of this script, not by pytest when it collects.
    from generation_samples import SignallingNoise

    return SignallingNoise(0.1, Reconstruction(model))


if __name__ == "__main__":
    generate.build_attack = attack
    if os.environ.get("KILLED_AT_RECORD"):
        run.append = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    sys.argv[1:1] = ["generate", "--shard-size", "16", "--batch-size", "8"]
    cli.main()
