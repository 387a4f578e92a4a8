"""Bad input meets a clear error at the door: one table for every public function.

The rows stand in the `bad_input.py` of each folder. A row is (name, call, error, text): `call` must
raise `error` with a message that matches `text`.
"""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def read_table(path):
    """Return the rows of one table; all have the same file name, so they are loaded by path."""
    folder = path.parent.relative_to(HERE).as_posix()
    spec = spec_from_file_location(f"bad_input_{folder.replace('/', '_').strip('.')}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return [(f"{folder}: {name}", *rest) for name, *rest in module.CASES]


CASES = [case for path in sorted(HERE.rglob("bad_input.py")) for case in read_table(path)]


@pytest.mark.parametrize(
    ("call", "error", "text"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_bad_input_is_refused_with_a_clear_message(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_every_room_with_a_door_has_a_table():
    tables = {path.parent.relative_to(HERE).as_posix() for path in HERE.rglob("bad_input.py")}
    rooms = {".", "topology", "losses", "data", "structures", "annotation", "training"}
    rooms |= {
        f"workbook/{room}" for room in ("figures", "explorers", "exercises", "studies", "desk")
    }
    assert rooms <= tables


def test_names_in_the_table_are_unique():
    names = [case[0] for case in CASES]
    assert len(names) == len(set(names))
