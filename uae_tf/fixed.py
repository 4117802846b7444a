"""Settings that are compiled: no assignment that would have no effect."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar


class FixedOnceCompiled:
    """Refuses to change what a compiled loop holds already.

    TensorFlow writes Python numbers into a graph when it traces it, and does not look
    at them again: another value would be told by ``get_config``, and not be used.
    """

    #: Settings that are read anew by every call.
    free_settings: ClassVar[tuple[str, ...]] = ()

    _is_compiled = False

    def freeze_settings(self) -> None:
        """From now on no argument of the constructor may be set, but the free ones."""
        self._is_compiled = True

    def __setattr__(self, name: str, value: Any) -> None:
        is_fixed = self._is_compiled and name not in self.free_settings
        if is_fixed and name in inspect.signature(type(self)).parameters:
            kind = type(self).__name__
            raise AttributeError(
                f"`{name}` is part of the compiled loop, now that this {kind} has run."
                f" Make another {kind} with it."
            )
        super().__setattr__(name, value)
