"""What is loaded when it is first needed: a page waits for all that is loaded before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__all__ = ["without_grammar"]

GRAMMAR = "rfc3987_syntax"


def is_valid_syntax(term: str, value: str) -> Any:
    """Ask the real grammar, which is built at its first use."""
    return import_module(GRAMMAR).is_valid_syntax(term, value)


@contextmanager
def without_grammar() -> Iterator[None]:
    """Put off a grammar of web addresses that plotly's widget brings along, for a second each time.

    Plotly loads nbformat, that jsonschema, and that, if it is installed, builds the grammar, which
    nothing here ever asks. Whoever asks gets the same answers.
    """
    if GRAMMAR in sys.modules or "jsonschema" in sys.modules or find_spec(GRAMMAR) is None:
        yield
        return
    stand_in = ModuleType(GRAMMAR)
    stand_in.is_valid_syntax = is_valid_syntax  # type: ignore[attr-defined]
    sys.modules[GRAMMAR] = stand_in
    try:
        yield
    finally:
        del sys.modules[GRAMMAR]
