"""Execute notebooks: each notebooks/NN_name.py into the NN_name.ipynb beside it.

The .py is what people edit (jupytext's percent format); the .ipynb is what people look
at, with its pictures. Every notebook runs from a fresh kernel, in the folder it lies
in. TensorFlow's start-up log is left out of the outputs, and cells are named by their
place, so that a notebook executed twice differs only where its results do.

Usage: python scripts/run_notebooks.py [notebooks/01_quickstart.py ...]
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
#: Lines that TensorFlow's C++ writes to stderr whatever the log level.
_NATIVE_LOG = re.compile(r"^(WARNING: All log messages before absl|[IWEF]\d{4} ).*\n?")


def main(arguments: list[str] | None = None) -> None:
    """Runs the notebooks named, or all, and prints what each cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", type=Path, metavar="NOTEBOOK.py")
    parser.add_argument(
        "--text-only",
        action="store_true",
        help="take over texts; the code must be what was executed",
    )
    options = parser.parse_args(arguments)
    sources = options.sources or sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))
    if options.text_only:
        for source in sources:
            update_text(source)
        return
    # The kernels inherit it. It spares the page what the machine's TensorFlow is like.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    for source in sources:
        start, processor = time.perf_counter(), _children_seconds()
        target = execute(source)
        print(
            f"{target.name}: {time.perf_counter() - start:.0f} s, "
            f"{_children_seconds() - processor:.0f} s of processor time",
            flush=True,
        )


def execute(source: Path) -> Path:
    """Runs one notebook and writes its .ipynb; a cell that fails raises."""
    notebook = jupytext.read(source)
    notebook.metadata = nbformat.from_dict(METADATA)
    NotebookClient(
        notebook,
        timeout=600,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(source.parent)}},
    ).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [out for out in map(_without_log, cell.outputs) if out]
    return _write(notebook, source)


def update_text(source: Path) -> Path:
    """Rewrites the text of an executed notebook, and keeps its outputs."""
    notebook = jupytext.read(source)
    executed = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    new, old = (
        [cell for cell in book.cells if cell.cell_type == "code"]
        for book in (notebook, executed)
    )
    if [cell.source for cell in new] != [cell.source for cell in old]:
        raise ValueError(f"The code of {source.name} has changed: execute it.")
    for cell, known in zip(new, old, strict=True):
        cell.outputs, cell.execution_count = known.outputs, known.execution_count
    return _write(notebook, source)


def _write(notebook: nbformat.NotebookNode, source: Path) -> Path:
    # nbclient puts the kernel's exact version of Python there.
    notebook.metadata = nbformat.from_dict(METADATA)
    for place, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{place:02d}"
        cell.metadata = nbformat.from_dict({})
    target = source.with_suffix(".ipynb")
    nbformat.write(notebook, target)
    return target


def _without_log(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    if output.output_type != "stream" or output.name != "stderr":
        return output
    lines = output.text.splitlines(keepends=True)
    output.text = "".join(line for line in lines if not _NATIVE_LOG.match(line))
    return output if output.text.strip() else None


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
