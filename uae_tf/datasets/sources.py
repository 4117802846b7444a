"""The files that data sets are built from, and the proof that they are those."""

from __future__ import annotations

import hashlib
import os
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class SourceFile:
    """One file of a data set.

    Args:
        name: File name.
        sha256: Checksum of its content.
        url: Where exactly this file can be fetched from, None if nowhere known.
    """

    name: str
    sha256: str
    url: str | None = None


@dataclass(frozen=True)
class Source:
    """All files of a data set, and where people find them.

    Args:
        files: The files.
        home: Page of the data set's owners.
        note: How the files differ from what that page offers, empty if not at all.
    """

    files: tuple[SourceFile, ...]
    home: str
    note: str = ""

    @property
    def instructions(self) -> str:
        """What to put into a folder, in words; for tensorflow-datasets too."""
        lines = [f"{file.name} (sha256 {file.sha256})" for file in self.files]
        text = f"Files: {', '.join(lines)}. Home of the data: {self.home}."
        return f"{text} {self.note}".strip()


# The archive's own form, `.data.Z`, needs a decompressor that Python does not have.
SOURCES: dict[str, Source] = {
    "isolet": Source(
        (
            SourceFile(
                "isolet1+2+3+4.data.gz",
                "9e476099294acdeeace8f0284413c3834e6e382d8a26f58a41a8188d9c5a6dfe",
            ),
            SourceFile(
                "isolet5.data.gz",
                "8fd4028e40576486e5eb6894a45ee2836317374d2a254a333ff19065942ab3cc",
            ),
        ),
        "https://archive.ics.uci.edu/dataset/54/isolet",
        "The archive packs them as .Z; these are gzip files of the same rows.",
    ),
    "coil20": Source(
        (
            SourceFile(
                "coil-20-proc.zip",
                "3ada39d818d693a113c60be575827482125d412913d880067882aa5ad37f105d",
                "http://www.cs.columbia.edu/CAVE/databases/SLAM_coil-20_coil-100/"
                "coil-20/coil-20-proc.zip",
            ),
        ),
        "https://www.cs.columbia.edu/CAVE/software/softlib/coil-20.php",
    ),
    "mice_protein": Source(
        (
            SourceFile(
                "Data_Cortex_Nuclear.csv",
                "1d6722b089db85dccfcb84d62e7299dcffd17b41223c3da54321890b63fff7ad",
                "https://raw.githubusercontent.com/IBM/UAE/"
                "e493de6142ec519fbabfed2e89f718fdd1415a4b/"
                "Unsupversied/data/Data_Cortex_Nuclear.csv",
            ),
        ),
        "https://archive.ics.uci.edu/dataset/342/mice+protein+expression",
        "The archive has it as .xls; this is its .csv form.",
    ),
    "activity": Source(
        (
            SourceFile(
                "X_train.txt.gz",
                "54e67d0d2a924605bdbbb99c104196dde48bc3a2a4c9c2fdb8b559d305f13cd3",
            ),
            SourceFile(
                "y_train.txt",
                "415b3357e2e2d5e70a45c781947c6bdd80e0410a579d862eedcd6bbce3c694ef",
            ),
            SourceFile(
                "subject_train.txt",
                "66e1e2fbe9b396fa5155f531dc3348c803f503be663e2318772d49947db9153a",
            ),
            SourceFile(
                "features.txt",
                "b384889885b1c8680ecf250e0e605b4c79536cdf09ce9f2fa7225a3c6773b5c7",
            ),
        ),
        "https://archive.ics.uci.edu/dataset/240/"
        "human+activity+recognition+using+smartphones",
        "The training part of that archive, X_train.txt packed by gzip.",
    ),
}


def verify(folder: str | os.PathLike[str], name: str) -> Path:
    """Check that a folder holds the files of a data set, whole and unaltered.

    Args:
        folder: Where they are.
        name: A key of `SOURCES`.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: One is missing.
        ValueError: One has another content; the message shows both checksums.
    """
    folder = Path(folder).expanduser()
    for file in SOURCES[name].files:
        path = folder / file.name
        if not path.is_file():
            raise FileNotFoundError(
                f"Data set {name!r} needs the file {file.name!r} (sha256 "
                f"{file.sha256}), and {str(folder)!r} does not hold it. "
                f"{SOURCES[name].instructions}"
            )
        found = checksum(path)
        if found != file.sha256:
            raise ValueError(
                f"The file {file.name!r} in {str(folder)!r} is not the one that data "
                f"set {name!r} is built from: truncated, or altered. Expected sha256 "
                f"{file.sha256}. Received {found} ({path.stat().st_size:,} bytes)."
            )
    return folder


def fetch(name: str, folder: str | os.PathLike[str]) -> Path:
    """Download the files of a data set into a folder, to be verified there.

    Raises:
        FileNotFoundError: A file has no known address, or nothing answers there.
    """
    folder, source = Path(folder), SOURCES[name]
    unknown = [file.name for file in source.files if file.url is None]
    if unknown:
        raise FileNotFoundError(
            f"No address is known from which {', '.join(unknown)} of data set {name!r} "
            "could be downloaded as it is needed. Put the files into a folder and name "
            f"it with --from. {source.instructions}"
        )
    for file in source.files:
        try:
            with (
                urllib.request.urlopen(
                    str(file.url), timeout=TIMEOUT_SECONDS
                ) as answer,
                (folder / file.name).open("wb") as target,
            ):
                shutil.copyfileobj(answer, target)
        except OSError as error:
            raise FileNotFoundError(
                f"{file.name!r} of data set {name!r} could not be downloaded from "
                f"{file.url} ({error}). Put it into a folder and name that with "
                f"--from. {source.instructions}"
            ) from error
    return folder


def checksum(path: Path) -> str:
    """sha256 of a file, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
