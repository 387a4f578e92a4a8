"""How a learner's function is run: beside the checker, for a few seconds, and watched.

It runs in a thread of its own, so that one that never ends is left and stopped, whatever it does:
count, sleep, or swallow every exception. No signal is needed, so it is the same on every system.
"""

from __future__ import annotations

import ctypes
import dis
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from inspect import unwrap
from itertools import islice
from types import FrameType
from typing import Any

__all__ = ["Shortcuts", "UnfinishedError", "does_nothing", "run"]

SECONDS = 5.0  # for one call; those of the exercises take hundredths
_TICK = 0.1  # so often, in seconds, somebody looks whether a function has ended
_TRIES = 20  # to stop it, one a tick; what sleeps on is left behind
_MOST = 100_000  # items that are taken of what a function yields

# What a function consists of that only returns None.
_NOTHING = {"CACHE", "COPY_FREE_VARS", "LOAD_CONST", "MAKE_CELL", "NOP", "RESUME", "RETURN_CONST"}
_NOTHING |= {"RETURN_VALUE"}


class UnfinishedError(Exception):
    """The function did not end; the message goes on from "it"."""


class _StopNow(SystemExit):
    """Is raised in a function that does not end."""


@dataclass
class Shortcuts:
    """Functions that do an exercise by themselves, and whether the learner's function calls one.

    Attributes
    ----------
    functions : mapping
        From the name by which one is told, to the function and a condition on its arguments.
    packages : tuple of str
        Any function of these counts.
    used : str
        The name of the first that was called, or "".
    """

    functions: Mapping[str, tuple[Callable[..., Any], Callable[[dict[str, Any]], bool]]]
    packages: tuple[str, ...] = ()
    used: str = ""

    def __post_init__(self) -> None:
        self._named = {
            unwrap(function).__code__: (name, condition)
            for name, (function, condition) in self.functions.items()
        }

    def watch(self, frame: FrameType, event: str, argument: Any) -> None:
        """Note a call; Python's `sys.settrace` tells of each."""
        package = _module_of(frame).partition(".")[0]
        name, condition = self._named.get(frame.f_code, ("", bool))
        if name and condition(frame.f_locals):
            self.used = self.used or name
        elif package in self.packages:
            self.used = self.used or package

    def remark(self, praise: str) -> str:
        """Return the praise of a right answer, and what is left to do if a shortcut was taken."""
        if not self.used:
            return praise
        return f"{praise} That was done by `{self.used}`; now write it without."


def always(arguments: dict[str, Any]) -> bool:
    """Return True: a condition of `Shortcuts` that asks nothing."""
    return True


def run(function: Callable[..., Any], *arguments: Any, shortcuts: Shortcuts | None = None) -> Any:
    """Return what a function returns, a list of what it yields, or raise what it raises.

    What does not end raises `UnfinishedError`.
    """
    outcome: list[Any] = []
    context = copy_context()

    def work() -> None:
        with suppress(_StopNow):
            try:
                if shortcuts is not None:
                    sys.settrace(shortcuts.watch)
                outcome.extend((context.run(_collect, function, arguments), None))
            except BaseException as error:  # whatever it is, it is for the learner to read
                outcome.extend((None, error))

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    left = SECONDS
    try:
        while worker.is_alive() and left > 0:
            worker.join(_TICK)
            left -= 0 if _is_compiling(worker) else _TICK
    finally:
        _stop(worker)
    if not outcome or isinstance(outcome[1], _StopNow):
        raise UnfinishedError(
            f"had not ended after {SECONDS:g} seconds. Which of its loops never ends?"
        )
    result, error = outcome[:2]  # the first counts: one that has ended may still be stopped
    if error is not None:
        raise error
    return result


def _collect(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Return what a function returns, or a list of what it yields."""
    result = function(*arguments)
    if isinstance(result, Iterator):
        result = list(islice(result, _MOST + 1))
        if len(result) > _MOST:
            raise UnfinishedError("yields without end.")
    return result


def _module_of(frame: FrameType) -> str:
    """Return the name of the module whose code runs in a frame, or ""."""
    return str(frame.f_globals.get("__name__") or "")


def _is_compiling(worker: threading.Thread) -> bool:
    """Tell whether numba compiles what a function has called, which is not the function's fault."""
    frame = sys._current_frames().get(worker.ident or 0)
    while frame is not None:
        if _module_of(frame).startswith("numba."):
            return True
        frame = frame.f_back
    return False


def _stop(worker: threading.Thread) -> None:
    """Raise in a thread until it ends: a bare `except` of the learner's may swallow the first."""
    for _ in range(_TRIES):
        if not worker.is_alive():
            return
        number, stop = ctypes.c_ulong(worker.ident or 0), ctypes.py_object(_StopNow)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(number, stop)
        worker.join(_TICK)


def does_nothing(function: Any) -> bool:
    """Tell whether a function consists of returning a constant, as a stub does."""
    code = getattr(function, "__code__", None)
    return code is not None and all(step.opname in _NOTHING for step in dis.get_instructions(code))
