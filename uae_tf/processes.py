"""Processes of this machine that work for this one."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import tensorflow as tf

from .environment import usable_cores

# Not "fork": TensorFlow's threads do not survive it.
_CONTEXT = multiprocessing.get_context("spawn")


class Child:
    """A process that talks with this one through a pipe, and ends when this one does.

    It has its share of the cores and one of the GPUs, and does not heed what is sent
    to a whole group of processes, such as Ctrl-C: its parent decides.

    Args:
        serve: called there as ``serve(pipe, *arguments)``; picklable, as they are. It
            should end when the pipe does.
        arguments: of ``serve``.
        threads: TensorFlow may use there.
        number: of the child, which picks its GPU.
    """

    def __init__(
        self,
        serve: Callable[..., None],
        arguments: Sequence[Any],
        threads: int,
        number: int,
    ) -> None:
        self.pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(
            target=_begin,
            args=(serve, theirs, arguments, threads, number, tf.get_logger().level),
            daemon=True,
        )
        self._process.start()
        # Or the pipe would stay open when the process dies.
        theirs.close()

    def send(self, message: Any) -> None:
        """Sends a message; a child that has died is noticed by :meth:`receive`."""
        with contextlib.suppress(BrokenPipeError):
            self.pipe.send(message)

    def receive(self) -> Any:
        """The next message, waiting for it.

        Raises:
            EOFError: the child is no more.
        """
        try:
            return self.pipe.recv()
        except OSError:
            raise EOFError from None

    def exit_code(self) -> int | None:
        """Waits for a child that is no more; negative is the signal that ended it."""
        self._process.join()
        return self._process.exitcode

    @staticmethod
    def end(children: Sequence[Child]) -> None:
        """Ends children, whatever they are at."""
        for child in children:
            child._process.kill()
        for child in children:
            child._process.join()
            child.pipe.close()


_Child = TypeVar("_Child", bound=Child)


def ready(children: Sequence[_Child]) -> list[_Child]:
    """Those that have sent something or have died, waiting for one at least."""
    by_pipe = {child.pipe: child for child in children}
    return [by_pipe[pipe] for pipe in connection.wait(list(by_pipe))]


def threads_each(processes: int) -> int:
    """A process's share of the cores, at least one."""
    return max(1, usable_cores() // processes)


def share_machine(threads: int, number: int = 0) -> None:
    """Limits this process to its share. It must come before anything is computed.

    Args:
        threads: TensorFlow may use.
        number: of the process among those of the machine, which picks its GPU.
    """
    # Where a user's main module has computed something already, it is too late.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            gpu = gpus[number % len(gpus)]
            tf.config.set_visible_devices(gpu, "GPU")
            # Several processes may share a GPU.
            tf.config.experimental.set_memory_growth(gpu, True)


def _begin(
    serve: Callable[..., None],
    pipe: Connection,
    arguments: Sequence[Any],
    threads: int,
    number: int,
    log_level: int,
) -> None:
    tf.get_logger().setLevel(log_level)
    for received in (signal.SIGTERM, signal.SIGINT):
        signal.signal(received, signal.SIG_IGN)
    share_machine(threads, number)
    # The pipe ends with the parent.
    with contextlib.suppress(EOFError, OSError):
        serve(pipe, *arguments)
