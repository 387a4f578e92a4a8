"""How much memory a process has taken at most."""

from __future__ import annotations

import math
import sys
from pathlib import Path

from .checks import check_integer

__all__ = ["peak_memory"]


def peak_memory(process: int | None = None) -> float:
    """Return the most bytes that a process has held in memory at once since its program began.

    Linux keeps this number with the memory of the process (``VmHWM``). What ``getrusage`` says
    there is no such number: a new process inherits it from the one that started it, so that a slim
    worker of a fat parent seems to have been as fat.

    Parameters
    ----------
    process : int, optional
        The id of another process, which can be asked on Linux only. None: this one.

    Returns
    -------
    float
        Whole bytes, or NaN where the system does not tell, as of a process that has ended.

    Examples
    --------
    >>> peak_memory() > 1_000_000
    True
    """
    if process is not None:
        check_integer(process, "process", 1)
    if sys.platform == "linux":
        return _of_status(Path(f"/proc/{process or 'self'}/status"))
    if process is not None or sys.platform == "win32":
        return math.nan
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)


def _of_status(file: Path) -> float:
    """Return what a status file of Linux says in kilobytes, in bytes."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return math.nan
    # Of a process that has ended and is not yet buried there is a file without the line.
    sizes = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return 1024.0 * int(sizes[0]) if sizes else math.nan
