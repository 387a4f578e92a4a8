"""Time contenders fairly and judge the ratios.

The rules, and why:

- Inputs are made, and kernels compiled, before the clock starts.
- Before anything is timed, the contenders' results are compared: a fast wrong answer is no result.
- Contenders take turns, round by round (A B C, A B C, ...), so that a machine which slows down
  slows everyone. The ratio is taken within each round; the table shows the median of the ratios.
- A turn is one untimed call, because the contender before has emptied the caches, and then as many
  calls as fill `TURN` seconds; its time is the mean of these. A contender slower than `SLOW` has a
  turn of one call, and few rounds: caches are nothing to it.
- The garbage collector sleeps while the clock runs.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Protocol

TURN = 0.03
SLOW = 0.3
SLOW_ROUNDS = 3


class Unavailable(Exception):
    """A peer cannot run here; the message says why."""


def environment(**more: str) -> dict[str, str]:
    """Return the environment for a process that imports from where this one does."""
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    return {**os.environ, "PYTHONPATH": path, **more}


class Contender(Protocol):
    """Something that can be run for its result, and run for time."""

    def result(self) -> Any:
        """Run once and return what it computes, for the comparison."""

    def seconds(self, calls: int) -> float:
        """Run `calls` times and return the mean time of one call in seconds."""


@dataclass(frozen=True)
class Call:
    """A contender in this process: a function without arguments."""

    function: Callable[[], Any]

    def result(self) -> Any:
        return self.function()

    def seconds(self, calls: int) -> float:
        function = self.function
        gc.collect()
        gc.disable()
        try:
            start = time.perf_counter()
            for _ in range(calls):
                function()
            return (time.perf_counter() - start) / calls
        finally:
            gc.enable()


@dataclass(frozen=True)
class Job:
    """One piece of work, done by us and by others.

    Attributes
    ----------
    name, size : str
        What is done, and how large.
    ours : Contender
        The library.
    peers : mapping of str to Contender or Unavailable
        The others; `Unavailable` is a peer that cannot run, with the reason.
    required : mapping of str to float
        The least ratio, a peer's time over ours, that a peer's name requires.
    floor : (str, Contender), optional
        Something simpler that a method of this kind can hardly beat.
    same : mapping of str to function of (our result, a peer's result)
        Raises AssertionError where the peer of that name disagrees; called before the clock starts.
    """

    name: str
    size: str
    ours: Contender
    peers: Mapping[str, Contender | Unavailable]
    required: Mapping[str, float] = field(default_factory=dict)
    floor: tuple[str, Contender] | None = None
    same: Mapping[str, Callable[[Any, Any], None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One line of the table: our job beside one peer. Amounts are in `unit`."""

    job: str
    size: str
    unit: str
    ours: float | None
    peer: str
    theirs: float | None
    ratio: float | None
    required: float | None
    floor: str | None = None
    floor_amount: float | None = None
    note: str | None = None

    @property
    def met(self) -> bool | None:
        """Whether the requirement is met; None without one. What was not measured is not met."""
        if self.required is None:
            return None
        return self.ratio is not None and bool(self.ratio >= self.required)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "met": self.met}


def measure(job: Job, rounds: int = 7) -> list[Row]:
    """Check that all contenders agree, time them in rounds, and return a row for each peer."""
    unknown = {*job.required, *job.same} - set(job.peers)
    if unknown:
        raise ValueError(f"{job.name}: {sorted(unknown)} are named but are no peers")
    ours = job.ours.result()
    running = {"": job.ours}
    for name, peer in job.peers.items():
        if isinstance(peer, Unavailable):
            continue
        running[name] = peer
        theirs = peer.result()
        if name in job.same:
            try:
                job.same[name](ours, theirs)
            except AssertionError as error:
                raise AssertionError(f"{job.name}, {job.size}: {name} disagrees: {error}") from None
    if job.floor is not None:
        job.floor[1].result()
        running["floor"] = job.floor[1]

    once = {name: contender.seconds(1) for name, contender in running.items()}
    times: dict[str, list[float]] = {name: [] for name in running}
    for turn in range(rounds):
        for name, contender in running.items():
            if once[name] > SLOW:
                if turn < SLOW_ROUNDS:
                    times[name].append(contender.seconds(1))
                continue
            contender.seconds(1)
            times[name].append(contender.seconds(max(1, round(TURN / once[name]))))

    rows: list[Row] = []
    for name, peer in job.peers.items():
        theirs = ratio = floor = floor_amount = note = None
        if job.floor is not None and not rows:  # the floor is told once, in the job's first line
            floor, floor_amount = job.floor[0], 1e3 * median(times["floor"])
        if isinstance(peer, Unavailable):
            note = str(peer)
        else:
            theirs = 1e3 * median(times[name])
            ratio = median(b / a for a, b in zip(times[""], times[name], strict=False))
        rows.append(
            Row(
                job=job.name,
                size=job.size,
                unit="ms",
                ours=1e3 * median(times[""]),
                peer=name,
                theirs=theirs,
                ratio=ratio,
                required=job.required.get(name),
                floor=floor,
                floor_amount=floor_amount,
                note=note,
            )
        )
    return rows


HEADINGS = ("job", "size", "ours", "peer", "peer's", "ratio", "required", "", "floor")


def table(rows: list[Row]) -> str:
    """Draw the rows as text, in the units they carry; a job's name stands in its first line only.

    The ratio is the peer's amount over ours: above 1 we are the faster, or the smaller.
    """
    cells = [HEADINGS]
    before: tuple[str, str] | None = None
    notes: list[str] = []
    for row in rows:
        here = (row.job, row.size)
        new, before = here != before, here
        if row.note is not None:
            notes.append(f"{row.peer}: {row.note}")
        floor = ""
        if row.floor is not None:
            floor = f"{row.floor} {_amount(row.floor_amount, row.unit)}"
        cells.append(
            (
                row.job if new else "",
                row.size if new else "",
                _amount(row.ours, row.unit) if new else "",
                row.peer,
                "not run *" if row.theirs is None else _amount(row.theirs, row.unit),
                "" if row.ratio is None else f"{row.ratio:.2f}",
                "" if row.required is None else f">= {row.required:.2f}",
                {True: "met", False: "MISSED", None: ""}[row.met],
                floor,
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = {2, 4, 5, 6}
    lines = [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines += [f"* {note}" for note in dict.fromkeys(notes)]
    return "\n".join(lines)


def _amount(value: float | None, unit: str) -> str:
    """Write three digits and the unit."""
    if value is None:
        return ""
    digits = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {unit}"
