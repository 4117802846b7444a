"""manifest.json: what a run computes, written once when it begins.

A manifest is data and may come from anywhere. Nothing it says is opened, imported or
called: names of shards follow from their numbers, and the source it mentions is only
shown.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from ..compatibility import is_compatible
from ..environment import environment
from ..files import read_json, write_json
from .errors import GenerationError
from .plan import Plan

MANIFEST = "manifest.json"
_FORMAT = 1


def write_manifest(directory: Path, plan: Plan, source: str) -> None:
    """Writes manifest.json.

    Args:
        directory: of the run.
        plan: the settings; their hash is the run's name.
        source: where the samples come from, in the user's words.
    """
    write_json(
        directory / MANIFEST,
        {
            "format": _FORMAT,
            "run": plan.run,
            "settings": plan.settings(),
            "seed": plan.attack["config"]["seed"],
            "sample_ids": {"first": 0, "count": plan.num_samples},
            "shards": plan.num_shards,
            "source": source,
            "environment": environment(),
        },
    )


def read_manifest(directory: Path) -> Plan:
    """Reads manifest.json and checks it.

    Raises:
        GenerationError: there is none, or it was damaged, altered or made by another
            version of the format.
    """
    path = directory / MANIFEST
    try:
        manifest = read_json(path)
    except FileNotFoundError as error:
        raise GenerationError(
            f"{str(directory)!r} holds no run: there is no {MANIFEST}."
        ) from error
    except (ValueError, OSError, RecursionError) as error:
        raise GenerationError(f"{path} is damaged ({error}).") from error
    if manifest.get("format") != _FORMAT:
        raise GenerationError(
            f"{path} is of format {manifest.get('format')!r}; this version of uae_tf "
            f"reads format {_FORMAT}."
        )
    try:
        plan = _plan(manifest["settings"])
        run = plan.run
    # Whatever a forged file may hold in the place of numbers and mappings.
    except (
        AttributeError,
        KeyError,
        OverflowError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise GenerationError(
            f"{path} is damaged ({type(error).__name__}: {error})."
        ) from error
    if manifest.get("run") != run:
        raise GenerationError(
            f"{path} was altered: its settings have the hash {run}, and it says "
            f"{str(manifest.get('run'))[:80]!r}."
        )
    return plan


def check_same(saved: Plan, requested: Plan, directory: Path) -> None:
    """Raises unless the run in a directory is the one that is asked for.

    Raises:
        GenerationError: settings, weights, versions or data differ; the text shows
            both sides of each.
    """
    try:
        is_compatible(saved.settings(), requested.settings())
    except ValueError as error:
        raise GenerationError(f"{str(directory)!r}: {error}") from None


def _plan(settings: Any) -> Plan:
    plan = Plan(**{field.name: settings[field.name] for field in fields(Plan)})
    if set(settings) != {field.name for field in fields(Plan)}:
        raise ValueError(f"unknown settings among {sorted(settings)}")
    low, high = plan.bounds
    if not low < high:
        raise ValueError(f"bounds {plan.bounds}")
    if not isinstance(plan.attack["class"], str):
        raise TypeError("the attack's class is no text")
    return plan
