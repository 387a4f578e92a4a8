"""The checkers of chapter 09."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checking import NotYetError, call, digits_of, exercise, number_of

__all__: list[str] = []


@exercise("09.1")
def _faults(answer: Any) -> str:
    """Check which fault belongs to which comparison: "2134"."""
    given = digits_of(answer, 4)
    hints = {
        "P": ("2", "P's two networks were not trained for equally long."),
        "Q": ("1", "Q looked at the test images four times before the one that counts."),
        "R": ("3", "R's tiles lie side by side: has the network seen that very vessel?"),
        "S": ("4", "S's networks differ in more than the loss: where did each of them start?"),
    }  # fmt: skip
    for place, (right, hint) in zip(given, hints.values(), strict=True):
        if place != right:
            raise NotYetError(hint)
    return "One start, one budget, one choice before the test: then what differs is the loss."


@exercise("09.2")
def _weight(answer: Any) -> str:
    """Check the weight that the rule takes: .2."""
    number = number_of(answer, "Give one number, the weight.")
    if abs(number - 0.2) < 1e-6:
        return "It pays .009 of Dice, which the rule allows, and saves most of the errors for it."
    hints = {
        0.4: "The weight .4 has the fewest errors, and pays .013 of Dice: more than one point.",
        0.05: "The weight .05 has the highest Dice. But Dice only has to be kept, not to grow.",
        0.1: "The weight .1 keeps the Dice. Is there one with fewer errors that keeps it, too?",
        0.0: "Weight 0 is the control: the rule chooses among the arms.",
    }
    for value, hint in hints.items():
        if abs(number - value) < 1e-6:
            raise NotYetError(hint)
    raise NotYetError("Give one of the weights of the table.")


WORDS = ("better", "worse", "no clear difference")


@exercise("09.3")
def _verdict(answer: Any) -> str:
    """Check a function (errors of the arm, errors of the control) -> one of three verdicts."""
    cases = _verdict_cases()
    said = [call(answer, list(arm), list(control)) for arm, control in cases]
    for word in said:
        if not isinstance(word, str) or word not in WORDS:
            raise NotYetError(f"Return one of {', '.join(map(repr, WORDS))}; you gave {word!r}.")

    def rule(means: bool = True, images: bool = True, margin: float = 0.01, sign: int = 1) -> list:
        found = []
        for arm, control in cases:
            change = sign * (arm - control)
            side = np.sign(change.mean()) if abs(change.mean()) > margin * control.mean() else 0
            most = np.sign((change > 0).sum() - (change < 0).sum())
            agree = (side if means else most) if not (means and images) else (side + most) / 2
            found.append(WORDS[0] if agree == -1 else WORDS[1] if agree == 1 else WORDS[2])
        return found

    wrong = [
        (rule(sign=-1), "Upside down: these are errors, so smaller is better."),
        (rule(images=False), "You look at the mean alone: one wild image decides it."),
        (rule(means=False), "You count images alone: by how much they differ plays no part."),
        (rule(margin=0), "A mean within one per cent of the control's counts as equal."),
    ]  # fmt: skip
    right = rule()
    if said == right:
        return "Two conditions, and a third answer: most verdicts worth having say when not to say."
    for words, hint in wrong:
        if said == words:
            raise NotYetError(hint)
    k = next(k for k, word in enumerate(said) if word != right[k])
    arm, control = (values.tolist() for values in cases[k])
    raise NotYetError(f"For {arm} and {control} it returns {said[k]!r}; it should be {right[k]!r}.")


def _verdict_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return errors of arm and control by which all rules of the checker are told apart."""
    pairs = [
        ([3, 2, 2, 7, 3], [9, 5, 4, 6, 7]),
        ([9, 5, 4, 6, 7], [3, 2, 2, 7, 3]),
        ([0, 6, 5, 7], [40, 5, 4, 6]),  # one wild image
        ([4, 4, 4, 30], [5, 5, 5, 6]),
        ([101, 99, 98], [100, 100, 99.5]),  # less than one per cent
        ([101, 99, 100.5], [100, 100, 99.5]),
        ([3, 5, 7, 5], [3, 5, 6, 6]),
        ([5, 5], [5, 5]),
    ]
    return [(np.array(arm, float), np.array(control, float)) for arm, control in pairs]
