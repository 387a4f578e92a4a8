"""The checkers of chapter 12."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ..studies.costs import fit_cost
from .checking import NotYetError, call, exercise, number_of, numbers_of, refuse
from .running import Shortcuts, always

__all__ = ["PENCIL_TASKS"]

PENCIL_TASKS = (2, 3, 1, 4, 1, 5)
"""How many minutes the tasks of exercise 12.1 take, in the order in which they wait."""


@exercise("12.1")
def _two_workers(answer: Any) -> str:
    """Check when two workers end `PENCIL_TASKS`: as they come, and the longest first."""
    given = numbers_of(
        answer, 2, "two numbers: the minutes as they come, and longest first"
    ).tolist()
    refuse(given, [8.0, 9.0], "The other way round: first the order in which they wait.")
    refuse(given, [8.0, 8.0], "You halved the sum. Two workers end together only by luck.")
    if 16 in given:
        raise NotYetError("16 minutes is what one worker alone would take. There are two.")
    if given[0] == 12:
        raise NotYetError(
            "You dealt the tasks out like cards, one to each in turn. A worker who is free takes "
            "the next task, and does not wait until the other one has taken his."
        )
    if given[0] != 9:
        raise NotYetError(
            "Write down for both workers until when they are busy: 2 and 3. Who is free first, and "
            "takes the task of 1 minute? Where both are free, either may."
        )
    if given[1] != 8:
        raise NotYetError(
            "The first number is right. Now the same with the order 5, 4, 3, 2, 1, 1."
        )
    return "A long task at the end is what one waits for; short ones fill the gaps."


@exercise("12.2")
def _million_by_hand(answer: Any) -> str:
    """Check the seconds of a million images on 50 cores from 1000 in 7 s and 10,000 in 52 s."""
    seconds = number_of(answer, "Give one number, in seconds.")
    misread = partial(refuse, seconds, within=0.5)
    misread(140.0, "7 ms an image is what 1000 images cost with the start in it; a million of them "
                   "start only once.")  # fmt: skip
    misread(104.0, "5.2 ms an image still holds a share of the start. Take the difference of the "
                   "two measurements.")  # fmt: skip
    misread(5002.0, "That is one core. There are 50 of them.")
    misread(102.0, "The start, too, is spread over the cores here, as `fit_cost` assumes.")
    refuse(seconds, 2.0, "That is the start. What does each further image cost?", within=0.05)
    if not abs(seconds - 100.04) <= 0.1:
        raise NotYetError(
            "9000 further images took 45 s. What is one of them, what is left of the 7 s for the "
            "start, and what do both make of a million?"
        )
    return "Of a million images nobody sees the start: 2 of 5002 seconds."


def _line(
    counts: Any, seconds: Any, workers: Any, *, relative: bool = True, start: bool = True
) -> tuple[float, float]:
    """Return start and cost of a line through core-seconds, by the rule or by a misconception."""
    count, time = np.asarray(counts, float), np.multiply(seconds, workers).astype(float)
    weight = 1 / time if relative else np.ones(len(time))
    columns = np.stack([weight * start, weight * count], axis=1)
    (first, slope), *_ = np.linalg.lstsq(columns, weight * time, rcond=None)
    return float(first), float(slope)


def _cases() -> list[tuple[list[int], list[float], list[int], int]]:
    generator = np.random.default_rng(12)
    cases = []
    for cores in (1, 2, 64, 1000):
        counts = [1000, 1000, 10_000, 10_000, 100_000]
        workers = [1, 2, 1, 2, 2]
        ideal = 3 + generator.uniform(0.001, 0.02) * np.array(counts)
        seconds = np.round(ideal * generator.uniform(0.7, 1.4, 5) / workers, 3)
        cases.append((counts, seconds.tolist(), workers, cores))
    return cases


@exercise("12.3")
def _predict(answer: Any) -> str:
    """Check a function (counts, seconds, workers, cores) -> seconds of a million images."""
    cases, shortcuts = _cases(), Shortcuts({"fit_cost": (fit_cost, always)})
    given = [
        number_of(
            call(answer, *(list(part) for part in case[:3]), case[3], shortcuts=shortcuts),
            "Return one number, in seconds.",
        )
        for case in cases
    ]

    def refused(hint: str, divided: bool = True, worked: bool = True, **rule: Any) -> None:
        for case, value in zip(cases, given, strict=True):
            ones = [1] * len(case[0])
            first, slope = _line(*case[:2], case[2] if worked else ones, **rule)
            wanted = (first + slope * 10**6) / (case[3] if divided else 1)
            if not np.isclose(value, wanted, rtol=1e-4):
                return
        raise NotYetError(hint)

    refused("The seconds are those of the clock. While two workers compute for one second, two "
            "seconds of a core are spent: multiply.", worked=False)  # fmt: skip
    refused("This makes the sum of squared *seconds* small, so the largest count decides alone. "
            "Divide each error by its own time first.", relative=False)  # fmt: skip
    refused("Your line goes through 0: there is no start in it.", start=False)
    whole = [_line(*case[:3]) for case in cases]
    once = [
        first + slope * 10**6 / case[3] for (first, slope), case in zip(whole, cases, strict=True)
    ]
    if np.allclose(given, once, rtol=1e-4):
        raise NotYetError("The start, too, is spread over the cores here, as `fit_cost` assumes.")
    refused("A million images on one core. Now spread them over `cores`.", divided=False)
    right = []
    for counts, seconds, workers, cores in cases:
        table = pd.DataFrame({"count": counts, "seconds": seconds, "workers": workers})
        right.append(fit_cost(table, "seconds").predict(10**6, cores)[0])
    if not np.allclose(given, right, rtol=1e-4):
        k = int(np.argmax(np.abs(np.log(np.maximum(given, 1e-9) / np.array(right)))))
        raise NotYetError(
            f"For counts {cases[k][0]}, seconds {cases[k][1]}, workers {cases[k][2]} and "
            f"{cases[k][3]} cores you return {given[k]:.6g}; it should be {right[k]:.6g}. Each "
            "measurement gives one equation, start / t + cost * n / t = 1."
        )
    return shortcuts.remark("Small measurements and large ones have the same say in this line.")
