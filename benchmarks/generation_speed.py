"""What a long run costs beside the bare attack, and what workers and Ray give.

    python benchmarks/generation_speed.py overhead --model my.keras
    python benchmarks/generation_speed.py workers --model my.keras
    python benchmarks/generation_speed.py ray --model my.keras --shards 50
    python benchmarks/generation_speed.py memory --samples 1000000

`overhead`: a shard of a run against the same attack called on the same samples, in
turns. `workers`: two processes of one thread against one of two. `ray`: two actors
against two processes. Engines are compared once all their workers are at work: starting
a process takes seconds, whatever comes after. `memory`: of a driver that computes cheap
noise for a mapped file, and the time to resume the finished run.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

import uae_tf
from uae_tf.generation import generate, run
from uae_tf.generation.manifest import read_manifest
from uae_tf.generation.sources import NpySource
from uae_tf.generation.worker import Job, ShardWorker

SHAPE = (28, 28, 1)
BATCH_SIZE = 256


def attack(options):
    """The attack that is timed."""
    model = keras.saving.load_model(options.model, compile=False)
    return uae_tf.MinMaxAttack(
        uae_tf.Reconstruction(model), uae_tf.GaussianMI(), steps=options.steps
    )


def write_samples(path, samples):
    """Random 8-bit images, a part at a time."""
    rng = np.random.default_rng(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (samples, *SHAPE)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, samples, 10_000):
            rows = min(10_000, samples - start)
            file.write(rng.integers(0, 256, (rows, *SHAPE), np.uint8).tobytes())


def overhead(options, folder):
    """Prints the ratio of a shard's time to the bare attack's."""
    bare = attack(options)
    write_samples(folder / "x.npy", options.shard_size)
    generate(bare, folder / "x.npy", folder / "run", shard_size=options.shard_size)
    plan = read_manifest(folder / "run")
    worker = ShardWorker(Job(plan, folder / "run", NpySource(folder / "x.npy")))
    worker.start()
    x = np.load(folder / "x.npy") / np.float32(255)
    seconds = []
    for turn in range(options.turns + 1):
        calls = [lambda: bare(x, batch_size=BATCH_SIZE), lambda: worker.attempt(0)]
        times = [0.0, 0.0]
        for which in (0, 1) if turn % 2 else (1, 0):
            start = time.perf_counter(), time.process_time()
            calls[which]()
            times[which] = (
                time.perf_counter() - start[0],
                time.process_time() - start[1],
            )
        seconds.append(times)
    wall, processor = np.array(seconds[1:]).transpose(2, 0, 1)
    for name, pairs in (("wall", wall), ("processor", processor)):
        low, middle, high = np.quantile(pairs[:, 1] / pairs[:, 0], [0.25, 0.5, 0.75])
        print(
            f"{name:9} bare attack {np.median(pairs[:, 0]):.2f} s per shard; ratio "
            f"{middle:.3f} (quartiles {low:.3f}, {high:.3f}), wanted 1.05"
        )


def rate(options, folder, name, workers, ray=None):
    """Samples per second of an engine, once all workers are at work."""
    times, append = [], run.append

    def timed(*arguments):
        append(*arguments)
        times.append(time.perf_counter())

    run.append = timed
    start = time.perf_counter()
    try:
        generate(
            attack(options),
            folder / "x.npy",
            folder / f"{name}-{start}",
            shard_size=options.shard_size,
            workers=workers,
            ray=ray,
        )
    finally:
        run.append = append
    # The first two of each worker traced its graph.
    skip = 2 * workers
    found = (len(times) - skip) * options.shard_size / (times[-1] - times[skip - 1])
    print(
        f"{name:20} {found:8.1f} samples/s; first record after {times[0] - start:.0f} s"
    )
    return found


def engines(options, folder, ours, theirs):
    """Prints the ratio of two engines' rates, in turns."""
    write_samples(folder / "x.npy", options.shards * options.shard_size)
    ratios = []
    for turn in range(options.turns):
        order = (ours, theirs) if turn % 2 else (theirs, ours)
        rates = {engine[0]: rate(options, folder, *engine) for engine in order}
        ratios.append(rates[ours[0]] / rates[theirs[0]])
    print(f"{ours[0]} / {theirs[0]}: {np.median(ratios):.3f} ({np.round(ratios, 3)})")


def memory(options, folder):
    """Prints the driver's memory on the way, and the time a resume takes."""
    import psutil

    process, append, sizes = psutil.Process(), run.append, []
    before = process.memory_info()
    print(
        f"after the imports: {before.rss / 2**20:.0f} MB resident, of which "
        f"{before.shared / 2**20:.0f} MB are files of libraries"
    )
    write_samples(folder / "x.npy", options.samples)

    def watched(*arguments):
        append(*arguments)
        sizes.append(process.memory_info().rss / 2**20)

    run.append = watched
    noise = uae_tf.GaussianNoise(0.1)
    start = time.perf_counter()
    settings = {"shard_size": 1000, "batch_size": 1000}
    done = generate(noise, folder / "x.npy", folder / "run", **settings)
    seconds = time.perf_counter() - start
    tenths = sizes[:: max(1, len(sizes) // 10)]
    print(f"{done.samples:,} samples in {done.shards:,} shards: {seconds:.0f} s")
    print("resident MB on the way:", " ".join(f"{size:.0f}" for size in tenths))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak {peak:.0f} MB, wanted 700")
    start = time.perf_counter()
    generate(noise, folder / "x.npy", folder / "run", **settings, resume=True)
    print(f"resume of the finished run: {time.perf_counter() - start:.2f} s, wanted 5")
    size = sum(path.stat().st_size for path in (folder / "run").glob("shard-*"))
    print(f"{size / done.samples:.0f} bytes per sample")


def main():
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["overhead", "workers", "ray", "memory"])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--shard-size", type=int, default=256)
    parser.add_argument("--shards", type=int, default=24)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1_000_000)
    options = parser.parse_args()
    if options.what != "memory" and options.model is None:
        parser.error(f"{options.what} needs --model, an autoencoder saved by Keras")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.what == "overhead":
            overhead(options, folder)
        elif options.what == "memory":
            memory(options, folder)
        elif options.what == "workers":
            engines(options, folder, ("two workers", 2), ("one, two threads", 1))
        else:
            engines(options, folder, ("Ray", 2, "local"), ("two workers", 2))


if __name__ == "__main__":
    main()
