"""The peak of a process: what it has held itself, whoever started it."""

from __future__ import annotations

import math
import resource
import subprocess
import sys
from types import SimpleNamespace

import pytest

from toposeg_lite import memory
from toposeg_lite.memory import peak_memory

MEGABYTE = 2**20
# Holds so many megabytes, gives them back, and starts a process that says its own peak.
PARENT = """
import subprocess, sys
held = bytearray(b"x") * (int(sys.argv[1]) * 2**20)
del held
code = "from toposeg_lite.memory import peak_memory; print(peak_memory())"
run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
from toposeg_lite.memory import peak_memory
print(peak_memory(), float(run.stdout))
"""


def peaks(held):
    run = subprocess.run(
        [sys.executable, "-c", PARENT, str(held)], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return [float(word) / MEGABYTE for word in run.stdout.split()]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_a_peak_counts_what_was_given_back_and_not_what_the_parent_held():
    parent, child = peaks(600)
    assert 600 < parent < 750
    assert 5 < child < 200


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell of no other process")
def test_another_process_is_asked_by_its_id():
    code = "held = bytearray(b'x') * (300 * 2**20); del held; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        assert 300 < peak_memory(child.pid) / MEGABYTE < 400
        child.communicate(b"\n")
    assert math.isnan(peak_memory(child.pid))  # it has ended


@pytest.mark.parametrize(("system", "unit"), [("darwin", 1), ("freebsd14", 1024)])
def test_other_systems_are_asked_in_their_units(monkeypatch, system, unit):
    monkeypatch.setattr(memory.sys, "platform", system)
    monkeypatch.setattr(resource, "getrusage", lambda whose: SimpleNamespace(ru_maxrss=12345))
    assert peak_memory() == 12345 * unit
    assert math.isnan(peak_memory(1))


def test_where_nobody_tells_there_is_no_number(monkeypatch, tmp_path):
    assert math.isnan(memory._of_status(tmp_path / "none"))
    (tmp_path / "status").write_text("Name:\tpython\nVmRSS:\t  12 kB\n")
    assert math.isnan(memory._of_status(tmp_path / "status"))
    (tmp_path / "status").write_text("Name:\tVmHWM\nVmHWM:\t  123 kB\nVmRSS:\t  12 kB\n")
    assert memory._of_status(tmp_path / "status") == 123 * 1024
    monkeypatch.setattr(memory.sys, "platform", "win32")
    assert math.isnan(peak_memory())


@pytest.mark.parametrize(("process", "error"), [(0, ValueError), ("1", TypeError)])
def test_what_is_no_process_is_refused(process, error):
    with pytest.raises(error, match="process"):
        peak_memory(process)
