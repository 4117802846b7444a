"""A TF-Serving model repository on disk: versions that appear whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from numbers import Integral
from pathlib import Path

from ..files import write_atomic
from .models_config import with_model

CONFIG = "models.config"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class ModelRepository:
    """The folder ``<directory>/<name>/<version>/`` and its ``models.config``.

    A version is written under a hidden name, which servers overlook, and renamed when
    it is complete. A version that is there is never written to. Several processes may
    add to one repository at the same time.

    Args:
        directory: of the repository; made if missing.
        name: of the model: letters, digits, ``_``, ``-`` and ``.``.
        version: a positive whole number; None for one more than the highest there is.
        server_directory: where the server sees ``directory``; absolute.

    Raises:
        ValueError: a name that makes no folder, a version that exists, a
            ``models.config`` that cannot be added to.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        name: str,
        version: int | None = None,
        server_directory: str = "/models",
    ) -> None:
        self.directory = Path(directory)
        self.name = name
        self.version = version
        self.server_directory = server_directory
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(
                "`name` must be of letters, digits, `_`, `-` and `.`, and start with a "
                f"letter or digit: it names a folder. Received: name={name!r}"
            )
        if not server_directory.startswith("/"):
            raise ValueError(
                "`server_directory` must be absolute, as model servers demand. "
                f"Received: server_directory={server_directory!r}"
            )
        is_number = isinstance(version, Integral) and not isinstance(version, bool)
        if version is not None and not (is_number and version > 0):
            raise ValueError(
                "`version` must be a positive whole number, or None for the next. "
                f"Received: version={version!r}"
            )
        self._check_version(version)
        self._config()

    @property
    def base_path(self) -> Path:
        """The folder of the model's versions."""
        return self.directory / self.name

    def versions(self) -> list[int]:
        """The versions there are, in order."""
        if not self.base_path.is_dir():
            return []
        names = (path.name for path in self.base_path.iterdir() if path.is_dir())
        return sorted(int(name) for name in names if name.isdecimal())

    def add(
        self, write: Callable[[Path], None], seal: Callable[[Path, int], None]
    ) -> Path:
        """Adds a version.

        Args:
            write: writes it to a folder, which may take long.
            seal: writes what depends on the version's number.

        Returns:
            The folder of the version.
        """
        self.base_path.mkdir(parents=True, exist_ok=True)
        temporary = self.base_path / f".{uuid.uuid4().hex}.tmp"
        try:
            write(temporary)
            with _locked(self.directory):
                self._check_version(self.version)
                version = self.version or max(self.versions(), default=0) + 1
                seal(temporary, version)
                _sync(temporary)
                final = self.base_path / str(version)
                temporary.rename(final)
                write_atomic(self.directory / CONFIG, self._config().encode())
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return final

    def _check_version(self, version: int | None) -> None:
        if version is not None and (self.base_path / str(version)).exists():
            raise ValueError(
                f"`version` {version} of {self.name!r} is already in {self.directory}, "
                "and versions are never overwritten: a server may be using it. "
                f"There are: {self.versions()}. Leave out `version` to get the next."
            )

    def _config(self) -> str:
        path = self.directory / CONFIG
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        base_path = f"{self.server_directory.rstrip('/')}/{self.name}"
        return with_model(text, self.name, base_path)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One process at a time; without effect where the system has no such locks."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync(directory: Path) -> None:
    """Forces what is in a folder to the disk, before its name says it is complete."""
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
