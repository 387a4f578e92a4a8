"""How the loops of this library are compiled: by numba, once, and kept on disk if possible.

numba is asked for the same things everywhere, so there is one decorator, `kernel`. It mends two
habits of numba's own that would reach whoever calls the library:

- An interrupt (Ctrl-C, the stop button of a notebook, an alarm) that arrives while a kernel turns
  its arrays into NumPy's comes out as a SystemError, which nobody expects. Here it is what it was.
- Where neither the package's folder nor a home takes files, as in containers, and where the disk is
  full, numba refuses to compile. Here the kernel is compiled anew in each process, and a warning
  says so once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache
from numba.core.registry import CPUDispatcher

__all__ = ["kernel"]


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function at its first call; it releases the GIL and may be called by other kernels.

    With NUMBA_DISABLE_JIT=1 the function stays what it is.

    Examples
    --------
    >>> import numpy as np
    >>> @kernel
    ... def highest(values):
    ...     best = values[0]
    ...     for value in values:
    ...         best = max(best, value)
    ...     return best
    >>> highest(np.array([1.0, 3.0, 2.0]))
    3.0
    """
    compiled = njit(nogil=True)(function)
    if isinstance(compiled, CPUDispatcher):
        compiled.__class__ = _Kernel  # njit has no option for it; the class adds no data
        compiled.enable_caching()
    return compiled


class _Kernel(CPUDispatcher):
    """A compiled function that lets interrupts through, and needs no place to be kept."""

    def __call__(self, *arguments: Any) -> Any:
        """Run; raise what a signal's handler raised, and not what numba made of it."""
        try:
            return super().__call__(*arguments)
        except SystemError as error:
            interrupt = _first_cause(error)
            if interrupt is error:
                raise
        raise interrupt

    def enable_caching(self) -> None:
        """Keep compiled code on disk, or not where no folder takes it."""
        try:
            self._cache = _Cache(self.py_func)
        except RuntimeError:  # numba's word for: neither package, home nor NUMBA_CACHE_DIR
            if not self.py_func.__code__.co_filename.startswith("<"):  # typed, not from a file
                _warn_that_nothing_is_kept()


class _Cache(FunctionCache):
    """numba's cache, where a full disk or a lost right to read costs time, and not the result."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return compiled code, or None where there is none, or none that can be read."""
        try:
            return super().load_overload(sig, target_context)
        except OSError:
            _warn_that_nothing_is_kept()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep compiled code."""
        try:
            super().save_overload(sig, data)
        except OSError:
            _warn_that_nothing_is_kept()


@cache
def _warn_that_nothing_is_kept() -> None:
    """Say once in a process that its compiled code is lost with it."""
    warnings.warn(
        "no folder takes the compiled kernels of toposeg_lite, so each process compiles them anew, "
        "for a minute or two: set NUMBA_CACHE_DIR to a folder that can be written",
        RuntimeWarning,
        stacklevel=3,
    )


def _first_cause(error: BaseException) -> BaseException:
    """Return the first of a chain of errors of which each was raised because of the one before."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
