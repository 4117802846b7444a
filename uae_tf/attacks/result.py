"""What an attack returns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ..files import atomic_file
from ..types import Trace


@dataclass(frozen=True, eq=False)
class AttackResult:
    """Examples and everything measured about them; the first axis is always N.

    A sample whose attack failed keeps its best attempt with ``success`` False.

    Attributes:
        examples: ``(N, *shape)`` float32, perturbed samples, inside the bounds.
        success: ``(N,)`` bool, criterion met (f <= 0) with finite numbers throughout
            the run, or descent of the penalty method, that found it.
        similarity: ``(N,)`` float32, the attack's similarity at the example, in nats
            for mutual information; NaN for an attack without one.
        criterion: ``(N,)`` float32, f at the example; NaN for an attack without one.
        l2: ``(N,)`` float32, Euclidean norm of delta.
        linf: ``(N,)`` float32, largest absolute entry of delta.
        is_finite: ``(N,)`` bool, False where a NaN or infinity froze the sample.
        trace: name -> ``(iterates, N)``, if asked for: "criterion" and, for MinMax and
            the penalty method, "similarity" and "multiplier" at every iterate from the
            start noise on. MinMax and PGD have ``steps + 1`` iterates, the penalty
            method as many in each of its descents, one after the other. None for
            attacks without iterates.
    """

    examples: np.ndarray
    success: np.ndarray
    similarity: np.ndarray
    criterion: np.ndarray
    l2: np.ndarray
    linf: np.ndarray
    is_finite: np.ndarray
    trace: Trace | None = None

    @property
    def success_rate(self) -> float:
        """Attack success rate, in [0, 1]."""
        return float(np.mean(self.success))

    def __len__(self) -> int:
        return len(self.success)

    def augmented(self, x: np.ndarray) -> np.ndarray:
        """The examples, with ``x`` in the place of failures (the paper's rule).

        Args:
            x: ``(N, *shape)``, the samples that were attacked.

        Returns:
            ``(N, *shape)`` in the dtype of the examples.

        Raises:
            ValueError: samples of another shape.
            TypeError: samples that are not floating point, such as 8-bit ones, whose
                range is not the examples'.
        """
        if np.shape(x) != self.examples.shape:
            raise ValueError(
                "`x` must be the samples that were attacked. Expected shape "
                f"{self.examples.shape}. Received: x of shape {np.shape(x)}"
            )
        if not np.issubdtype(np.asarray(x).dtype, np.floating):
            raise TypeError(
                "`x` must be floating point, in the range that was attacked (8-bit "
                f"samples of a long run as x / 255). Received: {np.asarray(x).dtype}"
            )
        mask = self.success.reshape(-1, *([1] * (self.examples.ndim - 1)))
        return np.where(mask, self.examples, x).astype(self.examples.dtype)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes an ``.npz`` file, whole or not at all."""
        arrays = {name: getattr(self, name) for name in self._arrays()}
        arrays |= {f"trace/{k}": v for k, v in (self.trace or {}).items()}
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> AttackResult:
        """Reads what :meth:`save` wrote. Never unpickles."""
        loaded = np.load(path, allow_pickle=False)
        arrays = {}
        if not isinstance(loaded, np.ndarray):  # One array is what an .npy file holds.
            with loaded:
                arrays = {name: loaded[name] for name in loaded.files}
        trace = {
            name.removeprefix("trace/"): arrays.pop(name)
            for name in list(arrays)
            if name.startswith("trace/")
        }
        if set(arrays) != set(cls._arrays()):
            raise ValueError(
                f"{os.fspath(path)!r} is not a saved AttackResult. Expected the arrays "
                f"{cls._arrays()}. Received: {sorted(arrays)}"
            )
        return cls(**arrays, trace=trace or None)

    @classmethod
    def concatenate(cls, results: Sequence[AttackResult]) -> AttackResult:
        """One result of several, in order."""
        first = results[0]
        arrays = {
            name: np.concatenate([getattr(result, name) for result in results])
            for name in cls._arrays()
        }
        trace = first.trace and {
            name: np.concatenate([r.trace[name] for r in results], axis=1)
            for name in first.trace
        }
        return cls(**arrays, trace=trace)

    @classmethod
    def _arrays(cls) -> list[str]:
        return [field.name for field in fields(cls) if field.name != "trace"]

    def __repr__(self) -> str:
        numbers = [
            f"{len(self)} samples of shape {self.examples.shape[1:]}",
            f"success_rate={self.success_rate:.4f}",
            f"similarity={np.mean(self.similarity):.4g}",
            f"l2={np.mean(self.l2):.4g}",
            f"linf={np.mean(self.linf):.4g}",
        ]
        frozen = int(np.sum(~self.is_finite))
        if frozen:
            numbers.append(f"not finite: {frozen}")
        return f"AttackResult({', '.join(numbers)})"
