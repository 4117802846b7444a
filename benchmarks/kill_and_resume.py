"""Kills a long run at random, resumes it, and compares it with an undisturbed one.

    python benchmarks/kill_and_resume.py --model my.keras --data mnist --out FOLDER

The driver is killed (SIGKILL) after a random number of finished shards and a random
part of the next. What else is given goes to `uae-tf generate`, to both runs alike.
"""

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

START = time.perf_counter()


def log(text):
    """Prints a line with the time since the start."""
    print(f"{time.perf_counter() - START:7.1f} s  {text}", flush=True)


def finished(directory):
    """How many shards are recorded."""
    journal = directory / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def checksums(directory):
    """Name -> sha256 of every shard."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.glob("shard-*"))
    }


def run_and_kill(command, directory, shards, rng):
    """Starts a run; kills it once it has that many shards, in the middle of another."""
    process = subprocess.Popen(command)
    while finished(directory) < shards and process.poll() is None:
        time.sleep(0.05)
    time.sleep(rng.uniform(0.0, 3.0))
    process.send_signal(signal.SIGKILL)
    log(f"killed (exit {process.wait()}) with {finished(directory)} shards finished")


def main():
    """Runs both and compares."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options, others = parser.parse_known_args()
    command = [sys.executable, "-m", "uae_tf.cli", "generate", *others]
    straight, killed = options.out / "straight", options.out / "killed"

    log("undisturbed run begins")
    subprocess.run([*command, "--out", straight], check=True)
    total = len(checksums(straight))
    log(f"undisturbed run is complete: {total} shards")

    rng = random.Random(options.seed)
    resumed = [*command, "--out", killed, "--resume"]
    for shards in sorted(rng.sample(range(1, total), options.kills)):
        run_and_kill(resumed, killed, shards, rng)
    subprocess.run(resumed, check=True)
    log("killed run is complete")

    expected, got = checksums(straight), checksums(killed)
    same = sum(expected[name] == got.get(name) for name in expected)
    log(f"{same} of {total} shards are bit-identical; {len(got)} shards in all")
    text = "".join(f"{name} {digest}\n" for name, digest in expected.items())
    log(f"sha256 of the list of checksums: {hashlib.sha256(text.encode()).hexdigest()}")
    sys.exit(0 if expected == got else 1)


if __name__ == "__main__":
    main()
