"""Words that titles and the explorers' sentences share."""

from __future__ import annotations

__all__ = ["count", "count_neighbours", "count_shape"]

PLURALS = {"branch": "branches", "cavity": "cavities", "loss": "losses"}


def count(number: int, noun: str) -> str:
    """Count a noun.

    >>> count(1, "branch"), count(2, "branch"), count(0, "hole")
    ('1 branch', '2 branches', '0 holes')
    """
    return f"{number} {noun if number == 1 else PLURALS.get(noun, noun + 's')}"


def count_neighbours(connectivity: int) -> str:
    """Say in words what a connectivity means in an image."""
    return "4 neighbours" if connectivity == 1 else "8 neighbours"


def count_shape(betti: tuple[int, ...]) -> str:
    """Say what the Betti numbers of a mask are.

    >>> count_shape((2, 1))
    '2 components and 1 hole'
    """
    return f"{count(betti[0], 'component')} and {count(betti[1], 'hole')}"
