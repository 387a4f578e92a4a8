"""Kernels let interrupts through, and compile where nothing can be kept."""

from __future__ import annotations

import errno
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numba import config
from numba.core.caching import FunctionCache

from toposeg_lite.topology import kernels
from toposeg_lite.topology.kernels import kernel

ROOT = Path(__file__).parents[2]


@kernel
def several_arrays(values):
    doubled = np.empty(values.size)
    places = np.empty(values.size, np.int64)
    for i in range(values.size):
        doubled[i] = 2 * values[i]
        places[i] = i
    return doubled, places, 3, (doubled, values)


@kernel
def calls_another(values):
    return several_arrays(values)[0].sum()


@kernel
def refuses(values):
    if values.size:
        raise ValueError("not this")
    return values, values


def test_a_kernel_computes_is_called_by_others_and_can_be_pickled():
    values = np.arange(4.0)
    doubled, places, three, (again, _) = several_arrays(values)
    assert doubled.tolist() == again.tolist() == [0, 2, 4, 6]
    assert places.tolist() == [0, 1, 2, 3]
    assert three == 3
    assert calls_another(values) == 12
    assert pickle.loads(pickle.dumps(several_arrays))(values)[2] == 3
    with pytest.raises(ValueError, match="not this"):
        refuses(values)


def test_a_kernel_releases_the_gil():
    assert several_arrays.targetoptions["nogil"]


class Alarm(BaseException):
    """What the handler of a signal raises, like KeyboardInterrupt."""


# Python itself drops what is raised while it runs a callback of the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, Alarm])
def test_an_interrupt_at_any_moment_comes_out_as_it_is(interrupt):
    values, rng = np.ones(30), random.Random(0)
    several_arrays(values)
    fired = False

    def handle(*_):
        nonlocal fired
        fired = True
        raise interrupt("stop")

    def call_until_interrupted():
        signal.setitimer(signal.ITIMER_REAL, rng.uniform(5e-5, 3e-4))
        while not fired:
            several_arrays(values)

    before, seen = signal.signal(signal.SIGALRM, handle), Counter()
    try:
        for _ in range(500):
            fired = False
            try:
                call_until_interrupted()
            except BaseException as error:
                seen[type(error), error.__cause__, error.__context__] += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert set(seen) == {(interrupt, None, None)}
    assert seen[interrupt, None, None] >= 480


def test_an_error_of_the_system_itself_is_not_changed(monkeypatch):
    def fail(*_):
        raise SystemError("bad")

    monkeypatch.setattr(kernels.CPUDispatcher, "__call__", fail)
    with pytest.raises(SystemError, match="bad"):
        several_arrays(np.ones(3))


def test_compiled_code_is_kept_and_found_again(tmp_path):
    (tmp_path / "some.py").write_text(
        "from toposeg_lite.topology.kernels import kernel\n"
        "@kernel\ndef double(x):\n    return 2 * x\n"
        "double(3)\nprint(sum(double.stats.cache_hits.values()))"
    )
    run = [sys.executable, "some.py"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for hits in (0, 1):
        done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.stdout.strip(), done.stderr) == (str(hits), "")


def run_without_a_home(folder, code, **environment):
    """Run code on the modules of a folder that takes no files, as if they were another's.

    Files in the place of all folders of a cache stand for missing rights: they stop an
    administrator too.
    """
    for place in {file.parent for file in folder.rglob("*.py")}:
        (place / "__pycache__").touch()
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": os.devnull, **environment,
    }  # fmt: skip
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True)


def two_kernels(folder):
    """Write a module of two kernels beside the module `kernels` alone."""
    folder.mkdir()
    shutil.copy(kernels.__file__, folder)
    (folder / "two.py").write_text(
        "from kernels import kernel\n"
        "@kernel\ndef double(x):\n    return 2 * x\n"
        "@kernel\ndef triple(x):\n    return 3 * x\n"
    )
    return folder


def test_without_a_folder_that_takes_files_one_warning_says_so(tmp_path):
    folder = two_kernels(tmp_path / "code")
    done = run_without_a_home(folder, "import two; print(two.double(two.triple(7)))")
    assert done.stdout.strip() == "42", done.stderr
    assert done.stderr.count("RuntimeWarning") == 1
    assert "set NUMBA_CACHE_DIR to a folder that can be written" in done.stderr


def test_with_numbas_folder_nothing_is_said(tmp_path):
    folder, kept = two_kernels(tmp_path / "code"), tmp_path / "kept"
    code = "import two; print(two.double(two.triple(7)))"
    done = run_without_a_home(folder, code, NUMBA_CACHE_DIR=str(kept))
    assert (done.stdout.strip(), done.stderr) == ("42", "")
    assert len(list(kept.rglob("*.nbc"))) == 2


def test_the_package_runs_where_nothing_can_be_kept(tmp_path):
    shutil.copytree(
        ROOT / "toposeg_lite", tmp_path / "toposeg_lite",
        ignore=shutil.ignore_patterns("__pycache__", "assets"),
    )  # fmt: skip
    code = (
        "import numpy as np, toposeg_lite.losses\n"
        "from toposeg_lite.topology import label_components\n"
        "print(label_components(np.eye(3, dtype=bool))[1])"
    )
    done = run_without_a_home(tmp_path, code)
    assert done.stdout.strip() == "1", done.stderr
    assert done.stderr.count("RuntimeWarning") == 1


@pytest.mark.parametrize("method", ["save_overload", "load_overload"])
def test_a_full_disk_costs_the_cache_and_not_the_result(method, monkeypatch, tmp_path):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(FunctionCache, method, fail)
    kernels._warn_that_nothing_is_kept.cache_clear()

    def triple(x):
        return 3 * x

    compiled = kernel(triple)
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR"):
        assert compiled(2) == 6
    assert compiled(2.0) == 6  # compiled too, and said before: no warning, which would be an error
