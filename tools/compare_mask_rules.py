"""Which mask rule is the better one? Run ``python tools/compare_mask_rules.py``.

A likelihood is divided into branches, and each is decided: accepted, rejected or left undecided.
This command measures how far the mask is from the truth when every decision is right, for two ways
to divide and two rules for what goes when a branch is rejected. The rule of the library,
`toposeg_lite.topology.branches`, was chosen by it; the losers live on here and nowhere else.

Divisions:

- "pieces": `find_branches` with its specks. Each pixel of the skeleton belongs to one piece.
- "edges": the skeleton's edges from node to node, and lone peaks. A node belongs to all edges that
  end there, and goes only when all of them are rejected.

Rules for the pixels of the base, where the likelihood is 0.5 or above:

- "nearest": a pixel belongs to what owns the nearest pixel of a path, unless it is further from
  there than that pixel is from the background, plus one.
- "discs": at each path pixel inside the base lies the largest disc that fits into the base there. A
  pixel belongs to the disc that it lies deepest in; what lies in none goes with the nearest that
  does (`toposeg_lite.topology.discs`).

An accepted path is drawn, outside the base as a disc of radius 0 or 1 around each of its pixels. Of
the pieces, "node stays" says whether pixels of the base on the path of an undecided piece stay
though they belong to a rejected one.

A decision is right if it accepts what has at least half of its own pixels on the truth and rejects
the rest. It is "needed" if it changes the mask of the base. In the scenario "half" every second
branch, at random, is left undecided.

Likelihoods are those of networks that never saw the images: of chase_db1 the pretrained model's
(`load_pretrained`), of isbi2012_membranes that of a small U-Net that is trained here, as
``python -m toposeg_lite.training.annotation`` does. Of larger images the middle is taken.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from toposeg_lite import metrics
from toposeg_lite.data import Dataset, load_dataset
from toposeg_lite.files import write_atomically
from toposeg_lite.models import UNet
from toposeg_lite.structures import load_pretrained
from toposeg_lite.topology.branches import find_branches
from toposeg_lite.topology.discs import divide_mask
from toposeg_lite.topology.morse import morse_complex
from toposeg_lite.training.config import TrainConfig
from toposeg_lite.training.loop import train
from toposeg_lite.training.records import git_commit, versions

RESULTS = Path(__file__).parents[1] / "notebooks" / "reference_runs" / "mask-rules.json"
DATASETS = ("chase_db1", "isbi2012_membranes")
THRESHOLDS = ((0.02, 0.0), (0.1, 0.1))  # of persistence and level: models', sessions'
WINDOW = 512
STEPS = 400
LEVEL = 0.5
ERRORS = ("wrong_pixels", "dice", "cldice", "betti_error", "betti_matching_error")


class Division:
    """Paths, and owners of their pixels: branches and, after these, nodes.

    `owner` holds for each pixel a number or -1; `members[k]` are the branches of the k-th owner.
    """

    def __init__(
        self, paths: list[np.ndarray], owner: np.ndarray, members: list[list[int]]
    ) -> None:
        self.paths, self.owner, self.members = paths, owner, members

    def shares(self, truth: np.ndarray) -> np.ndarray:
        """Return what part of its own pixels each branch has on the truth; of its path if none."""
        own = [path[self.owner[path] == k] for k, path in enumerate(self.paths)]
        pixels = [mine if len(mine) else path for mine, path in zip(own, self.paths, strict=True)]
        return np.array([truth.ravel()[some].mean() for some in pixels])


def pieces(likelihood: np.ndarray, min_persistence: float, level: float) -> Division:
    """Divide by `find_branches`."""
    branches = find_branches(
        likelihood, min_persistence=min_persistence, saddle_level=level, specks=True
    )
    return Division(branches.paths, branches.owner.ravel(), [[k] for k in range(len(branches))])


def edges(likelihood: np.ndarray, min_persistence: float, level: float) -> Division:
    """Divide by the skeleton's edges, and lone peaks."""
    skeleton = morse_complex(likelihood).skeleton(min_persistence, level)
    lone = np.setdiff1d(skeleton.nodes, skeleton.nodes[skeleton.edges])
    paths = [*skeleton.paths, *lone[:, None]]
    ends = [*np.sort(skeleton.nodes[skeleton.edges]).tolist(), *([p] for p in lone.tolist())]
    owner = np.full(likelihood.size, -1)
    for k, path in enumerate(paths):
        owner[path] = k
    members = [[k] for k in range(len(paths))]
    for node in np.unique(skeleton.nodes).tolist():
        here = [k for k, both in enumerate(ends) if node in both]
        if len(paths[here[0]]) > 1:
            owner[node] = len(members)
            members.append(here)
    return Division(paths, owner, members)


def nearest(base: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return for each pixel of the base its owner by the rule "nearest", -1 for none."""
    away, place = ndimage.distance_transform_edt(owner.reshape(base.shape) < 0, return_indices=True)
    source = np.ravel_multi_index(tuple(place), base.shape)
    depth = ndimage.distance_transform_edt(base).ravel()
    return np.where(base & (away <= depth[source] + 1), owner[source], -1)


def discs(base: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return for each pixel of the base its owner by the rule "discs", -1 for none."""
    return divide_mask(base, owner.reshape(base.shape))


def mask_of(
    division: Division,
    base: np.ndarray,
    region: np.ndarray,
    decisions: np.ndarray,
    radius: int,
    node_stays: bool,
) -> np.ndarray:
    """Return the mask that decisions (1, 0 undecided, -1) lead to."""
    gone = np.array([(decisions[some] == -1).all() for some in division.members] + [False])
    mask = base & ~gone[region]
    drawn = np.zeros(base.shape, bool)
    for path in (division.paths[k] for k in np.flatnonzero(decisions == 1)):
        drawn.ravel()[path] = True
    mask |= drawn & base
    outside = drawn & ~base
    if radius:
        outside = ndimage.distance_transform_edt(~outside) <= radius if outside.any() else outside
    if node_stays:
        for path in (division.paths[k] for k in np.flatnonzero(decisions == 0)):
            mask.ravel()[path] |= base.ravel()[path]
    return mask | outside


def errors(mask: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return how far a mask is from the truth."""
    return {
        "wrong_pixels": float((mask != truth).mean()),
        "dice": float(2 * (mask & truth).sum() / max(1, mask.sum() + truth.sum())),
        "cldice": float(metrics.cldice(mask, truth)),
        "betti_error": float(np.sum(metrics.betti_error(mask, truth))),
        "betti_matching_error": float(metrics.betti_matching_error(mask, truth)),
    }


def compare(likelihood: np.ndarray, truth: np.ndarray, seed: int) -> Iterator[dict[str, Any]]:
    """Measure all rules on one image; yield a row for each."""
    base = likelihood >= LEVEL
    yield {"division": "none", **errors(base, truth)}
    for min_persistence, level in THRESHOLDS:
        for divide in (edges, pieces):
            division = divide(likelihood, min_persistence, level)
            right = np.where(division.shares(truth) >= 0.5, 1, -1)
            asked = np.random.default_rng(seed).random(len(right)) < 0.5
            for rule in (nearest, discs):
                region = rule(base, division.owner)
                needed = count_needed(division, base, region, right)
                for scenario, decisions in (("all", right), ("half", np.where(asked, right, 0))):
                    for radius in (0, 1):
                        kept = (
                            (False, True) if scenario == "half" and divide is pieces else (False,)
                        )
                        for node_stays in kept:
                            mask = mask_of(division, base, region, decisions, radius, node_stays)
                            yield {
                                "min_persistence": min_persistence,
                                "saddle_level": level,
                                "division": divide.__name__,
                                "rule": rule.__name__,
                                "radius": radius,
                                "scenario": scenario,
                                "node_stays": node_stays,
                                "branches": len(right),
                                "needed": needed,
                                **errors(mask, truth),
                            }


def count_needed(
    division: Division, base: np.ndarray, region: np.ndarray, right: np.ndarray
) -> int:
    """Return how many right decisions, each alone, change the mask of the base."""
    flat = base.ravel()
    count = 0
    owned = np.bincount(region[region >= 0], minlength=len(division.members))
    for k, path in enumerate(division.paths):
        adds = right[k] == 1 and not flat[path].all()
        takes = right[k] == -1 and owned[k] > 0
        count += bool(adds or takes)
    return count


def likelihoods(data: Dataset, folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield name, likelihood and truth of each test image, the middle of larger ones."""
    network: torch.nn.Module
    if data.name == "chase_db1":
        network = load_pretrained().network
    else:
        config = TrainConfig(
            dataset=data.name, weight=0.0, steps=STEPS, patch=192, anneal=True,
            learning_rate=0.003, light=0.4,
        )  # fmt: skip
        network = UNet(data.channels, width=config.width, depth=config.depth, seed=config.seed)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        folder.mkdir(parents=True, exist_ok=True)
        train(config, data=data, model=network, out=folder / "unet-0.safetensors", resume=True,
              progress=False)  # fmt: skip
    network.eval()
    for sample in data.test:
        place = tuple(
            slice((side - min(side, WINDOW)) // 2, (side + min(side, WINDOW)) // 2)
            for side in sample.mask.shape
        )
        image = torch.from_numpy(np.ascontiguousarray(sample.image[:, *place]))
        with torch.no_grad():
            logits = network(image[None].float())
        yield sample.name, torch.sigmoid(logits)[0, 0].numpy(), sample.mask[place].copy()


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the means over images of each rule."""
    keys = ("min_persistence", "saddle_level", "division", "rule", "radius", "scenario",
            "node_stays")  # fmt: skip
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    means = []
    for key, group in groups.items():
        numbers = {
            name: round(float(np.mean([row[name] for row in group])), 5)
            for name in ("branches", "needed", *ERRORS)
            if name in group[0]
        }
        named = {k: v for k, v in zip(keys, key, strict=True) if v is not None}
        means.append({**named, "images": len(group), **numbers})
    return means


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the file of results and print it."""
    parser = argparse.ArgumentParser(description="Compare mask rules when decisions are right.")
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS))
    parser.add_argument("--out", default="runs/annotation", help="where networks are kept")
    parser.add_argument("--results", default=str(RESULTS))
    chosen = parser.parse_args(arguments)
    file = Path(chosen.results)
    results = json.loads(file.read_text())["results"] if file.exists() else {}
    for name in chosen.datasets:
        rows = []
        for number, (image, likelihood, truth) in enumerate(
            likelihoods(load_dataset(name), Path(chosen.out) / name)
        ):
            rows += list(compare(likelihood, truth, seed=number))
            print(name, image, f"{len(rows)} masks measured", flush=True)
        results[name] = summary(rows)
        about = {"git_commit": git_commit(), "versions": versions(), "window": WINDOW}
        content = json.dumps({"about": about, "results": results}, indent=1)
        write_atomically(file, f"{content}\n".encode())
    for name, means in results.items():
        print(f"\n{name}")
        for row in means:
            print("  ".join(f"{value}" for value in row.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
