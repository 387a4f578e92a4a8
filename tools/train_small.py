"""Repeat the small trainings of chapters 03 and 06 with other seeds, and keep what came of them.

    python tools/train_small.py 0 1 2 3 4

The cells of the chapters are run as they stand, with another ``SEED``. The means of the scores over
the test images and the numbers of differences of each kind are kept in
``notebooks/reference_runs/small-trainings.json``, beside those of other seeds. The chapters say
only what held in all of them, which ``tests/workbook/test_small_trainings.py`` looks after.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path
from typing import Any

from toposeg_lite.differences import count_kinds, topology_differences
from toposeg_lite.files import write_atomically
from toposeg_lite.training import evaluate, load_checkpoint

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
KEPT = NOTEBOOKS / "reference_runs" / "small-trainings.json"
CELLS = {
    "03": ("parameters", "setup", "train"),
    "06": ("c01", "c02", "c25"),
}
SCORES = ("dice", "betti_0_error", "betti_1_error")

_spec = importlib.util.spec_from_file_location("build", NOTEBOOKS / "build.py")
build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build)


def run_cells(chapter: str, seed: int) -> dict[str, Any]:
    """Run the training of a chapter with a seed; return what its cells define."""
    (source,) = (path for path in build.sources() if build.number_of(path) == chapter)
    code = {cell.id: cell.source for cell in build.read_text(source).cells}
    defined: dict[str, Any] = {"display": lambda *shown: None}
    for name in CELLS[chapter]:
        exec(compile(code[name], f"{chapter}, {name}", "exec"), defined)
        defined["SEED"] = seed  # after the cell of parameters, which comes first, and so for all
    return defined


def counted(masks: list[Any], samples: list[Any]) -> dict[str, int]:
    """Return how many differences of each kind masks have from those of the samples."""
    found = []
    for mask, sample in zip(masks, samples, strict=True):
        found += topology_differences(mask, sample.mask)
    return {kind: count for kind, count in sorted(count_kinds(found).items()) if count}


def summary(chapter: str, seed: int) -> dict[str, dict[str, float]]:
    """Return, for each network, the means of its scores and how many differences it has."""
    cells = run_cells(chapter, seed)
    samples = cells["data"].test
    found: dict[str, dict[str, float]] = {}
    if chapter == "03":
        networks = {name: one.model() for name, one in cells["networks"].items()}
    else:
        networks = {}
        for name, seeds in cells["results"]["networks"].items():
            file = f"{name}-{seeds[str(seed)]['weight']:g}".removesuffix("-0")
            kept = Path(cells["folder"].name) / f"seed{seed}" / f"{file}.safetensors"
            networks[name] = load_checkpoint(kept).model()
    for name, model in networks.items():
        score = evaluate(model, samples, labels=cells["data"].labels)
        found[name] = {key: round(float(score.table[key].mean()), 4) for key in SCORES}
        masks = [score.likelihoods[sample.name] >= 0.5 for sample in samples]
        found[name] |= counted(masks, samples)
    return found


def main() -> None:
    """Run the seeds that are named, and add them to the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="+", type=int)
    parser.add_argument("--out", type=Path, default=KEPT, help="default: the file of all seeds")
    chosen = parser.parse_args()
    for seed in chosen.seeds:
        for chapter in CELLS:
            found = summary(chapter, seed)
            kept = json.loads(chosen.out.read_text()) if chosen.out.exists() else {}
            kept.setdefault(chapter, {})[str(seed)] = found
            kept = {number: dict(sorted(runs.items())) for number, runs in sorted(kept.items())}
            write_atomically(chosen.out, (json.dumps(kept, indent=1) + "\n").encode())
            print(f"chapter {chapter}, seed {seed}: kept", flush=True)


if __name__ == "__main__":
    main()
