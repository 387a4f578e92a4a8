"""Run the benchmarks, print the table, write it as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .groups import GROUPS
from .harness import Row, environment, table

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
PACKAGES = (
    "toposeg-lite",
    "numpy",
    "numba",
    "torch",
    "gudhi",
    "cripser",
    "opencv-python-headless",
    "connected-components-3d",
    "scikit-image",
)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "groups", nargs="*", metavar="group", help=f"any of {', '.join(GROUPS)}; default: all"
    )
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (default 7)")
    parser.add_argument(
        "--output", type=Path, default=Path("runs/bench.json"), help="default: %(default)s"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with status 1 if a required ratio is missed or could not be measured",
    )
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)  # see _in_own_process
    options = parser.parse_args(arguments)
    unknown = set(options.groups) - set(GROUPS)
    if unknown:
        parser.error(f"unknown group {sorted(unknown)}; choose from {', '.join(GROUPS)}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    options.groups = options.groups or list(GROUPS)
    return options


def _in_own_process(group: str, rounds: int) -> list[Row]:
    """Run a group in a process of its own, for how many threads there are is decided at a start."""
    threads = GROUPS[group][0] or os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as directory:
        rows = Path(directory) / "rows.json"
        run = subprocess.run(
            [sys.executable, "-m", __package__, group, f"--rounds={rounds}", f"--rows={rows}"],
            env=environment(**dict.fromkeys(THREADS, str(threads))),
            check=False,
        )
        if run.returncode:
            sys.exit(f"The jobs of {group!r} ended with status {run.returncode}; see above.")
        names = {field.name for field in fields(Row)}
        return [
            Row(**{k: v for k, v in row.items() if k in names})
            for row in json.loads(rows.read_text())
        ]


def _circumstances() -> dict[str, Any]:
    """Say where and with what the numbers were taken."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    processor = platform.processor() or platform.machine()
    names = Path("/proc/cpuinfo")
    if names.exists():
        lines = names.read_text().splitlines()
        processor = next((s.split(": ")[1] for s in lines if s.startswith("model name")), processor)
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions,
    }


def main(arguments: list[str] | None = None) -> int:
    """Run and return the exit status.

    A missed ratio is printed as MISSED and is no failure of the command: on a busy machine a ratio
    may be missed by chance, and `make bench` shall show its table all the same. `--strict` makes it
    one, for a machine that does nothing else. Contenders that disagree always are.
    """
    options = _options(arguments)
    if options.rows is not None:
        (group,) = options.groups
        rows = list(GROUPS[group][1](options.rounds))
        options.rows.write_text(json.dumps([row.as_dict() for row in rows]))
        return 0
    rows = []
    for group in options.groups:
        print(f"{group} ...", file=sys.stderr, flush=True)
        rows += _in_own_process(group, options.rounds)
    about = _circumstances()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(
        json.dumps({**about, "rows": [row.as_dict() for row in rows]}, indent=1) + "\n"
    )
    print(table(rows))
    judged = [row for row in rows if row.met is not None]
    missed = [row for row in judged if not row.met]
    print(f"\n{len(judged) - len(missed)} of {len(judged)} requirements met; {options.output}")
    print(f"{about['processor']}, {about['cores']} cores; python {about['python']}")
    print(", ".join(f"{name} {number}" for name, number in about["versions"].items()))
    return 1 if options.strict and missed else 0


if __name__ == "__main__":
    sys.exit(main())
