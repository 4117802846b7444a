"""The files that data sets are built from, and the proof that they are those."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class SourceFile:
    """One file of a data set.

    Args:
        name: File name; packed by gzip, with ".gz" behind it, the file will do too.
        sha256: Checksum of its content, unpacked.
        url: Where exactly this file can be fetched from, None if nowhere known.
        any_order: The checksum is that of the sorted lines: copies may differ in the
            order of their rows.
    """

    name: str
    sha256: str
    url: str | None = None
    any_order: bool = False


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
        order = {False: "", True: " of its sorted lines"}
        lines = [
            f"{file.name} (sha256{order[file.any_order]} {file.sha256})"
            for file in self.files
        ]
        text = (
            f"Files: {', '.join(lines)}; packed by gzip, as NAME.gz, they will do too. "
            f"Home of the data: {self.home}."
        )
        return f"{text} {self.note}".strip()


SOURCES: dict[str, Source] = {
    "isolet": Source(
        (
            SourceFile(
                "isolet1+2+3+4.data",
                "1a1ecc87f6e445b7d2ae3b1ffee07ce0d2d9ff16b5b94405177e797163eeecca",
                any_order=True,
            ),
            SourceFile(
                "isolet5.data",
                "c0cc6127ee01bf3097a7571088c7373511d2711886258fd6abb3b41cffb97276",
                any_order=True,
            ),
        ),
        "https://archive.ics.uci.edu/dataset/54/isolet",
        "The archive packs them as .Z, which Python cannot read: unpack them with "
        "`uncompress` or `gzip -d`. The order of the rows does not matter.",
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
                "X_train.txt",
                "9c1246099c8d5463779eec5a3845cc3898df9d8c715441ab2a1232d4421fc42f",
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
        "Of that archive the folder train/, and features.txt beside it.",
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
        path = locate(folder, file.name)
        if not path.is_file():
            raise FileNotFoundError(
                f"Data set {name!r} needs the file {file.name!r} (sha256 "
                f"{file.sha256}), and {str(folder)!r} does not hold it. "
                f"{SOURCES[name].instructions}"
            )
        found = content_checksum(path, file.any_order)
        if found != file.sha256:
            raise ValueError(
                f"The file {path.name!r} in {str(folder)!r} is not the one that data "
                f"set {name!r} is built from: truncated, or altered. Expected sha256 "
                f"{file.sha256}. Received {found} ({path.stat().st_size:,} bytes)."
            )
    return folder


def locate(folder: Path, name: str) -> Path:
    """Where a file is: as it is or, if only that exists, packed by gzip."""
    packed = folder / f"{name}.gz"
    return (
        packed if packed.is_file() and not (folder / name).exists() else folder / name
    )


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


def open_content(path: Path) -> BinaryIO:
    """Opens a file, unpacked if it ends in ".gz", to read bytes."""
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def content_checksum(path: Path, any_order: bool = False) -> str:
    """sha256 of a file's unpacked content, as hexadecimal text.

    Args:
        path: Of the file.
        any_order: Of its lines, sorted and without blanks at their ends.

    Returns:
        The checksum, or words that say why there is none.
    """
    try:
        with open_content(path) as file:
            if not any_order:
                # Not `file_digest`: it wants a file of the operating system.
                digest = hashlib.sha256()
                while part := file.read(1 << 20):
                    digest.update(part)
                return digest.hexdigest()
            lines = sorted(line.strip() for line in file if line.strip())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return f"none, as it cannot be unpacked ({error})"
    return hashlib.sha256(b"\n".join(lines)).hexdigest()
