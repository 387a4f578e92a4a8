"""Show what a floor of `TopologicalLoss` changes: value and gradient beside the exact ones.

    python tools/measure_floor.py [notebooks/reference_runs/loss-floor.json]

For the benchmark's volumes, what a trained network says of thin tubes, and crops of chase_db1 whose
likelihood is that of a network that is rather sure of the expert's mask. Each line is a floor: by
how much the value differs, and how long the difference of the gradients by the logits is, both as a
share of the exact ones, the largest of all volumes or crops.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.benchmarks import inputs
from toposeg_lite.data import load_dataset
from toposeg_lite.files import write_atomically
from toposeg_lite.losses import TopologicalLoss

FLOORS = (1e-4, 1e-3, 1e-2, 1e-1)


def cost(logits: np.ndarray, mask: np.ndarray, floor: float, matching: Any) -> tuple[float, Any]:
    """Return value and gradient of the loss of one image."""
    leaf = torch.tensor(logits[None, None], dtype=torch.float64, requires_grad=True)
    value = TopologicalLoss(floor=floor, matching=matching)(leaf, torch.tensor(mask[None]))
    value.backward()
    return value.item(), leaf.grad


def crops(count: int, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return logits and masks of crops of chase_db1, off in places and noisy."""
    found = []
    for k, sample in enumerate(list(load_dataset("chase_db1").test)[:count]):
        rng = np.random.default_rng(k)
        rows, columns = (n // 2 - size // 2 for n in sample.mask.shape)
        mask = np.asarray(sample.mask, bool)[rows : rows + size, columns : columns + size]
        logits = 12 * gaussian_filter(mask.astype(float), 1) - 7
        coarse = gaussian_filter(rng.standard_normal(mask.shape), 1.5)
        logits += 0.9 * coarse / coarse.std() + 0.07 * rng.standard_normal(mask.shape)
        found.append((logits, mask))
    return found


def main(path: str | None) -> None:
    """Measure, print, and write the numbers."""
    sets = {
        "volumes, 5 % foreground": [inputs.volume_pair(48, seed) for seed in range(3)],
        "volumes, thin tubes": [inputs.tubes(64, seed) for seed in range(3)],
        "chase_db1": crops(4, 256),
    }
    table = []
    for name, pairs in sets.items():
        for matching in ("spatial", "betti", "rank"):
            for floor in FLOORS:
                off_value = off_gradient = 0.0
                for logits, mask in pairs:
                    value, gradient = cost(logits, mask, 0.0, matching)
                    other, slope = cost(logits, mask, floor, matching)
                    off_value = max(off_value, abs(other - value) / value)
                    off = ((slope - gradient).norm() / gradient.norm()).item()
                    off_gradient = max(off_gradient, off)
                row = {"data": name, "matching": matching, "floor": floor}
                row |= {"value": off_value, "gradient": off_gradient}
                table.append(row)
                print(f"{name:26}{matching:10}{floor:8g}{off_value:12.2e}{off_gradient:12.2e}")
    if path is not None:
        write_atomically(path, (json.dumps(table, indent=1) + "\n").encode())


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
