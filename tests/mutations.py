"""Damage to files: bytes changed at random, and values of JSON texts changed in kind."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from collections import Counter
from copy import deepcopy
from pathlib import Path

from toposeg_lite.memory import peak_memory

SECONDS = 20  # for one file, on a busy machine
MEGABYTES = 600  # more than at the beginning
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
#: Values that nobody expects where another one stood.
ODD = (
    None, True, "", "x", "../up", "nan", [], {}, [[]], [None], {"a": 1}, 0, -1, 1, 0.5, -0.0, 1e308,
    float("inf"), float("nan"), 10**9, 10**12, 2**63, -(2**63), 10**40, "9" * 400, [1e9, "a"],
)  # fmt: skip
#: Stands for a list in a list in a list, deeper than any reader goes.
NEST = "@nest"


def read_mutated(program, kind, seed, count, keep):
    """Read mutated files in a process of its own; return its table of what happened."""
    last = keep / f"last.{kind}"
    shared = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(program), kind, str(seed), str(count), str(last)],
        capture_output=True,
        text=True,
        timeout=300 + count,
        env={**os.environ, "TOPOSEG_MAX_PIXELS": "1000000", "PYTHONPATH": shared},
    )
    assert done.returncode == 0, f"{last}: exit {done.returncode}\n{done.stderr[-3000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def mutate(data, rng):
    """Return a file with a few of its bytes changed, left out, repeated or cut off."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        place = int(rng.integers(len(data)))
        if rng.random() < 0.5:
            place = place % min(256, len(data))  # headers are where the sizes are
        what = rng.integers(6)
        length = int(rng.integers(1, 40))
        if what == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif what == 1:
            data[place] = int(rng.integers(256))
        elif what == 2:
            order = "<" if rng.random() < 0.5 else ">"
            value = int(rng.choice(EXTREMES))
            data[place : place + 4] = struct.pack(f"{order}I", value)
        elif what == 3:
            del data[place : place + length]
        elif what == 4:
            data[place:place] = data[place : place + length]
        else:
            del data[max(place, 1) :]
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


def mutate_json(value, rng):
    """Return the text of a value of which one or two parts, anywhere in it, are changed."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.integers(1, 3)):
        value = _mutate_value(value, rng)
    return json.dumps(value).replace(f'"{NEST}"', "[" * 20_000 + "]" * 20_000)


def _mutate_value(value, rng):
    """Change a value, or one inside it: the deeper ones are the more."""
    deeper = isinstance(value, dict | list) and value and rng.random() < 0.85
    if not deeper:
        if rng.random() < 0.1:
            return NEST if rng.random() < 0.2 else [[value]]
        if isinstance(value, int | float) and rng.random() < 0.3:
            return value * int(rng.choice([-1, 2, 10**6, 10**12]))
        return deepcopy(ODD[int(rng.integers(len(ODD)))])
    names = list(value) if isinstance(value, dict) else list(range(len(value)))
    name = names[int(rng.integers(len(names)))]
    what = rng.random()
    if what < 0.12:
        del value[name]
    elif what < 0.2 and isinstance(value, dict):
        value[str(ODD[int(rng.integers(len(ODD)))])] = value.pop(name)
    elif what < 0.2:
        value.insert(int(name), deepcopy(value[name]))
    else:
        value[name] = _mutate_value(value[name], rng)
    return value


def read_all(good, change, read, allowed, count, rng, keep):
    """Read `count` changed files, and end with the first surprise.

    ``good`` are whole files, ``change(file, rng)`` damages one of them, and ``read(file)`` may
    raise what is `allowed` alone. The file at work is kept at `keep`, so that a crash leaves it.
    Returned is how often what happened, and the most time and room that a file took.
    """
    counts = Counter()
    longest = 0.0
    for data in good:
        read(data)
    before = peak_memory()
    for number in range(count):
        data = change(good[number % len(good)], rng)
        keep.write_bytes(data)
        began = time.perf_counter()
        try:
            read(data)
            counts["read"] += 1
        except allowed:
            counts["refused"] += 1
        seconds = time.perf_counter() - began
        longest = max(longest, seconds)
        if seconds > SECONDS:
            raise RuntimeError(f"file {number} took {seconds:.1f} s")
        megabytes = (peak_memory() - before) / 2**20
        if megabytes > MEGABYTES:
            raise MemoryError(f"file {number} took {megabytes:.0f} MB")
    return {**counts, "seconds": round(longest, 2), "megabytes": round(megabytes)}
