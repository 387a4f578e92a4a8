"""The checkers of chapter 14."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checking import NotYetError, call, digits_of, exercise, number_of

__all__: list[str] = []


@exercise("14.1")
def _weight_by_hand(answer: Any) -> str:
    """Check the weight for the gradient ratios 4, 1 and 2: half of one over their mean, .25."""
    number = number_of(answer, "Give one number, the weight.")
    if abs(number - 0.25) < 0.0025:
        return "Ratios of 4 and of 1 balance each other around 2: that is what logarithms are for."
    hints = {
        0.5 / (7 / 3): "You took the mean of the ratios; section 4 takes that of their logarithms.",
        (0.125 + 0.5 + 0.25) / 3: "You took the mean of three weights; average the logarithms of "
        "the ratios first.",
        1.0: "You multiplied by the mean ratio: the harder a loss pulls, the less weight it needs.",
        2.0: "That is the mean ratio. Which weight makes one half of it?",
        0.5: "That is one over the mean ratio: both losses would pull alike. Half is wanted.",
        4.0: "Upside down: divide the wanted ratio by the mean ratio.",
    }
    for value, hint in hints.items():
        if abs(number - value) < 0.0025:
            raise NotYetError(hint)
    raise NotYetError("The mean ratio times the weight is to be one half. What is the mean ratio?")


@exercise("14.2")
def _next_steps(answer: Any) -> str:
    """Check which next step belongs to which finding: "3412"."""
    given = digits_of(answer, 4)
    hints = {
        "P": (
            "3",
            (
                "P has paid: pieces were removed, and Dice fell. Which step pulls less, or never "
                "removes?"
            ),
        ),
        "Q": ("4", "Q's loss does nothing at all. What would one measure before anything else?"),
        "R": ("1", "R's specks stand in the reference as well: whose mistake are they?"),
        "S": ("2", "S has two seeds that disagree. No change of the method mends that."),
    }
    for place, (right, hint) in zip(given, hints.values(), strict=True):
        if place != right:
            raise NotYetError(hint)
    return "Labels, luck, price, pull: four questions that a table of means does not answer."


@exercise("14.3")
def _faded(answer: Any) -> str:
    """Check a function (step, start, warm_up, end, fade, weight) -> factor."""
    options = [(10, 5, 40, 10, 2.0), (0, 0, 30, 0, 1.0), (3, 1, 20, 4, 0.5), (0, 20, 12, 8, 3.0)]
    cases = [(step, *rest) for rest in options for step in range(0, 60, 1)]
    numbers = np.array([number_of(call(answer, *case), "Return one number.") for case in cases])
    step, start, warm_up, end, fade, weight = np.transpose(cases)

    def share(done: np.ndarray, of: np.ndarray) -> np.ndarray:
        return np.clip(done / np.maximum(of, 1), 0, 1)

    rise, fall = share(step - start + 1, warm_up), share(step - end + 1, fade)
    late_rise, late_fall = share(step - start, warm_up), share(step - end, fade)
    wrong = [
        (weight * rise, "This rises and never falls: that is what `SumLoss` has already."),
        (weight * (1 - fall), "This falls, but it does not begin late, nor warm up."),
        (weight * late_rise * (1 - late_fall), ("Both begin one step late: the first step of the "
         "warm-up has weight / warm_up already, and `end` itself the first fall.")),
        (weight * late_rise * (1 - fall), ("The warm-up begins one step late: its first step has "
         "weight / warm_up already.")),
        (weight * rise * (1 - late_fall), ("The fall begins one step late: at `end` itself the "
         "factor is weight * (1 - 1 / fade).")),
        (weight * np.where(step < end, rise, 1 - fall), ("From `end` on you forget how far the "
         "warm-up had come. Where it is not over yet, both count: multiply.")),
        (weight * np.minimum(rise, 1 - fall), ("Where the fall begins before the warm-up is over, "
         "the smaller of the two is another rule than their product.")),
        (rise * (1 - fall), "The weight is not used."),
        (weight * rise * fall, "The fall is the wrong way round: it should go from 1 to 0."),
    ]  # fmt: skip
    for rule, hint in wrong:
        if np.allclose(numbers, rule, atol=1e-9):
            raise NotYetError(hint)
    right = weight * rise * (1 - fall)
    if not np.allclose(numbers, right, atol=1e-9):
        k = int(np.argmax(np.abs(numbers - right)))
        said = dict(
            zip(("step", "start", "warm_up", "end", "fade", "weight"), cases[k], strict=True)
        )
        listed = ", ".join(f"{name}={value}" for name, value in said.items())
        raise NotYetError(f"For {listed} it returns {numbers[k]:g}; it should be {right[k]:g}.")
    return "Rise and fall in one line. The last steps belong to the pixels again."
