"""Bad input meets a clear error at the door: one table for every public name.

Two parts make the table. The rows of each folder's `bad_input.py` are written by hand: a row is
(name, call, error, text), and `call` must raise `error` with a message that matches `text`. The
good calls of each folder's `good_calls.py` are taken through with each of their arguments, one at
a time, in each bad form that its kind has (`bad_values.py`): the error is a TypeError or ValueError
that names the parameter, nothing was computed by a kernel before it, and no file made. A public
function, constructor, method or parameter without a good call fails `test_every_door_has_its_rows`.
"""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch
from doors import RECORDS, call, doors_of, missing, public_doors, same

from toposeg_lite.topology import kernels

HERE = Path(__file__).parent


def read_table(path):
    """Return what a file of a folder's own holds; all have one name, so they are loaded by path."""
    folder = path.parent.relative_to(HERE).as_posix()
    spec = spec_from_file_location(f"{path.stem}_{re.sub(r'[/.]', '_', folder)}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return folder, module


def read_tables(name):
    return [read_table(path) for path in sorted(HERE.rglob(name))]


CASES = [
    (f"{folder}: {name}", *rest)
    for folder, module in read_tables("bad_input.py")
    for name, *rest in module.CASES
]
CALLS = [call for _, module in read_tables("good_calls.py") for call in module.CALLS]
BAD = [
    pytest.param(c, name, kind, id=f"{c.door}-{k}: {name}")
    for k, c in enumerate(CALLS)
    for name, kind in c.kinds().items()
]


@pytest.mark.parametrize(
    ("call", "error", "text"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_bad_input_is_refused_with_a_clear_message(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_every_room_with_a_door_has_a_table():
    tables = {path.parent.relative_to(HERE).as_posix() for path in HERE.rglob("bad_input.py")}
    rooms = {".", "topology", "losses", "data", "structures", "annotation", "training", "report"}
    rooms |= {"adapters"}  # of `toposeg_lite.monai`: a folder of that name would hide MONAI
    rooms |= {"nnunet"}
    rooms |= {
        f"workbook/{room}" for room in ("figures", "explorers", "exercises", "studies", "desk")
    }
    assert rooms <= tables


def test_names_in_the_table_are_unique():
    names = [case[0] for case in CASES]
    assert len(names) == len(set(names))


# --- Good calls, spoilt in one argument ------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder, which whatever is refused leaves empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("c", CALLS, ids=[f"{c.door}-{k}" for k, c in enumerate(CALLS)])
def test_the_good_call_is_taken(c, elsewhere):
    c.run(**c.good)


def refusal(c, arguments):
    """Return what a call says to one bad argument, or why that is no refusal of it by name."""
    (name,) = arguments
    try:
        c.run(**{**c.good, **arguments})
    except (TypeError, ValueError) as error:
        named = re.search(rf"(?i)\b{name}\b", str(error))
        return None if named else f"does not name it: {error!r}"
    except Exception as error:
        return f"another error: {error!r}"
    return "is taken"


@pytest.mark.parametrize(("c", "name", "kind"), BAD)
def test_a_bad_argument_is_refused_by_name(c, name, kind, elsewhere, monkeypatch):
    computed = []
    run = kernels._Kernel.__call__
    monkeypatch.setattr(
        kernels._Kernel, "__call__", lambda self, *a: computed.append(self) or run(self, *a)
    )
    wrong = {}
    # How many features or flips an explorer can choose from is known when they are found.
    finds = c.door.startswith("workbook.explorers.") and name in ("selected", "step")
    for word, value in kind.items():
        complaint = refusal(c, {"no_such_option" if name == "options" else name: value})
        complaint = complaint or (not finds and computed and f"computed first: {computed}")
        complaint = complaint or (any(elsewhere.iterdir()) and "made a file")
        if complaint:
            wrong[word] = complaint
    assert wrong == {}


ARRAYS = [
    pytest.param(c, name, id=f"{c.door}-{k}: {name}")
    for k, c in enumerate(CALLS)
    for name, value in c.good.items()
    if type(value) is np.ndarray and value.ndim > 1
]


@pytest.mark.parametrize(("c", "name"), ARRAYS)
def test_any_layout_of_an_array_is_taken_and_left_as_it_is(c, name, elsewhere):
    """Backwards in memory, every second pixel of a larger array, columns first, read-only."""
    array = c.good[name]
    expected = c.run(**c.good)
    wide = np.zeros([2 * side for side in array.shape], array.dtype)
    wide[tuple(slice(None, None, 2) for _ in array.shape)] = array
    fixed = array.copy()
    fixed.flags.writeable = False
    layouts = [
        np.ascontiguousarray(array[::-1])[::-1],
        wide[tuple(slice(None, None, 2) for _ in array.shape)],
        np.asfortranarray(array),
        fixed,
        array.astype(array.dtype.newbyteorder()),
    ]
    for other in layouts:
        assert same(c.run(**{**c.good, name: other}), expected)
        assert np.array_equal(other, array)


TENSORS = [
    pytest.param(c, name, id=f"{c.door}-{k}: {name}")
    for k, c in enumerate(CALLS)
    for name, value in c.good.items()
    if type(value) is torch.Tensor and value.ndim > 1
]


@pytest.mark.parametrize(("c", "name"), TENSORS)
def test_any_layout_of_a_tensor_is_taken(c, name, elsewhere):
    tensor = c.good[name]
    expected = c.run(**c.good)
    other = tensor.mT.contiguous().mT
    assert same(c.run(**{**c.good, name: other}), expected)
    assert torch.equal(other, tensor)


# --- Nothing public is left out --------------------------------------------------------------


def test_every_door_has_its_rows():
    assert missing(public_doors(), CALLS) == [], "a good call in the good_calls.py of its folder"


def test_no_call_is_of_a_door_that_is_gone():
    assert {c.door for c in CALLS} <= set(public_doors())


def test_a_new_name_method_or_parameter_without_a_row_is_seen():
    def invented(image, strength):
        pass

    class Invented:
        def __init__(self, width):
            pass

        def grow(self, factor):
            pass

    for thing in (invented, Invented, Invented.grow):
        thing.__module__ = "toposeg_lite.topology"
    function, method = doors_of(invented), doors_of(Invented)
    assert missing(dict([*function, *method]), CALLS) == [
        "topology.test_a_new_name_method_or_parameter_without_a_row_is_seen.<locals>.invented",
        "topology.test_a_new_name_method_or_parameter_without_a_row_is_seen.<locals>.Invented",
        "topology.test_a_new_name_method_or_parameter_without_a_row_is_seen.<locals>.Invented.grow",
    ]
    half = [call(invented, {"image": np.eye(3)})]
    (door,) = dict(doors_of(invented))
    assert missing(dict(doors_of(invented)), half) == [f"{door}(strength)"]


def test_the_records_that_trust_their_makers_exist():
    from_record = {thing.split(".")[-1] for thing in RECORDS}
    assert from_record == RECORDS
