"""Stops politely: the first signal lets what was begun be finished."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def polite_stop() -> Iterator[Callable[[], bool]]:
    """While active, SIGTERM and Ctrl-C are only remembered.

    A second Ctrl-C raises KeyboardInterrupt at once; so does the end of the block
    after a first one. Outside of the main thread, where Python lets nobody handle
    signals, nothing changes.

    Yields:
        A function: was there a signal?
    """
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGINT and number in received:
            raise KeyboardInterrupt
        received.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, remember) for number in numbers}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signal.SIGINT in received:
        raise KeyboardInterrupt
