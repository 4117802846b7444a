"""The machine and the software that something was made with."""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import shlex
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

#: Keys of the description that hold a package's version.
VERSIONS = ("tensorflow", "keras", "numpy", "uae_tf")


def environment() -> dict[str, Any]:
    """Describe the machine and the software a result was made with.

    Returns:
        python, platform, cpu (model), cpu_count (usable cores), accelerators (names;
        only asked for once TensorFlow is loaded), versions of tensorflow, keras,
        numpy and uae_tf (None if not installed), date (UTC, ISO 8601) and command
        (the command line, the program without its folder).
    """
    program = Path(sys.argv[0]).name if sys.argv else ""
    now = datetime.datetime.now(datetime.UTC)
    versions = {name: _version(name.replace("_", "-")) for name in VERSIONS}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cpu_count": usable_cores(),
        "accelerators": _accelerators(),
        **versions,
        "date": now.isoformat(timespec="seconds"),
        "command": shlex.join([program, *sys.argv[1:]]),
    }


def usable_cores() -> int:
    """Number of cores that this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def _version(package: str) -> str | None:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _accelerators() -> list[str]:
    """Name the accelerators, without loading TensorFlow for it."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return []
    devices = tensorflow.config.list_physical_devices("GPU")
    details = tensorflow.config.experimental.get_device_details
    return [details(device).get("device_name", device.name) for device in devices]
