"""Traits of explorers, whose values are checked by the same doors as arguments of the library.

A bad value raises a TypeError or ValueError with the trait's name in it, when an explorer is built
and when the trait is set; the explorer then stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from traitlets import HasTraits, TraitType, Undefined

from ...checks import check_choice, check_fraction, check_integer, check_same_shape
from ...topology.grid import check_connectivity, check_image

__all__ = [
    "Checked",
    "Connectivity",
    "Fraction",
    "Likelihood",
    "OneOf",
    "UpTo",
    "check_pair",
]


class Checked(TraitType[Any, Any]):
    """A trait that holds what `check`, a function of model, value and name, returns."""

    name: str

    def __init__(self, check: Callable[[Any, Any, str], Any], first: Any = Undefined) -> None:
        super().__init__(first)
        self.check = check

    def validate(self, model: Any, value: Any) -> Any:
        """Return the value to hold, or raise."""
        return self.check(model, value, self.name)


class Likelihood(Checked):
    """An image in [0, 1] with so many axes."""

    def __init__(self, ndim: int) -> None:
        super().__init__(lambda model, value, name: check_image(value, name, ndim=ndim))


class Fraction(Checked):
    """A number in [0, 1], such as a threshold of a likelihood."""

    def __init__(self, first: float) -> None:
        super().__init__(lambda model, value, name: check_fraction(value, name), first)


class Connectivity(Checked):
    """The connectivity of an image's foreground: 1 for 4 neighbours, 2 for 8, as at first."""

    def __init__(self) -> None:
        super().__init__(lambda model, value, name: check_connectivity(value, 2), 2)


class UpTo(Checked):
    """An integer from `low`, as at first, to what the model says."""

    def __init__(self, last: Callable[[Any], int], low: int = 0) -> None:
        super().__init__(
            lambda model, value, name: check_integer(value, name, low, last(model)), low
        )


class OneOf(Checked):
    """A name among those that the model offers."""

    def __init__(self, offers: Callable[[Any], Iterable[str]]) -> None:
        super().__init__(lambda model, value, name: check_choice(value, list(offers(model)), name))


def check_pair(model: HasTraits, proposal: Any, names: tuple[str, str]) -> np.ndarray:
    """Return the proposed array if its partner, where there is one yet, has the same shape."""
    name = proposal["trait"].name
    (partner,) = set(names) - {name}
    if model.trait_has_value(partner):
        check_same_shape(proposal["value"], getattr(model, partner), (name, partner))
    return proposal["value"]
