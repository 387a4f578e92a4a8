"""Ask of the holes that a network misses how sure it is that their wall has a gap.

    python tools/measure_missing_walls.py FOLDER... [--results FILE.json]

FOLDER is that of a finished study (see the commands ``study`` and ``sweep``). A hole of the truth
is missing where the mask has none for it, since its wall is open somewhere. Of all ways to close
the wall the likelihood offers one that is best, and its lowest pixel is the birth of the most
persistent hole whose death lies inside. At .49 a small push closes the wall; near 0 the network
says that there is no wall. The control and each arm have a line: over seeds and test images, the
number of missing holes an image, the median of that likelihood, and the shares below .1 and above
.3.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy import ndimage

from toposeg_lite.data import load_dataset
from toposeg_lite.differences import topology_differences
from toposeg_lite.topology import persistence_pairs
from toposeg_lite.training import load_checkpoint, predict
from toposeg_lite.training.records import write_json
from toposeg_lite.workbook.studies.finished import read_finished


def weakest_pixels(likelihood: np.ndarray, truth: np.ndarray) -> list[float]:
    """Return, for each missing hole, the lowest likelihood on the best wall around it.

    Examples
    --------
    >>> truth = np.ones((5, 5), bool)
    >>> truth[1:4, 1:4] = False
    >>> likelihood = np.where(truth, 0.9, 0.1)
    >>> likelihood[0, 2] = 0.3
    >>> [float(value) for value in weakest_pixels(likelihood, truth)]
    [0.3]
    """
    holes, _ = ndimage.label(~truth)  # connectivity 2 of the foreground: 1 of the background
    pairs = persistence_pairs(likelihood).of_dimension(1)
    height, where = pairs.birth - pairs.death, holes.ravel()[pairs.death_index]
    found = []
    for kind, place in topology_differences(likelihood > 0.5, truth):
        if kind == "missing hole":
            inside = np.flatnonzero(where == holes[place])
            best = pairs.birth[inside[height[inside].argmax()]] if len(inside) else 0.0
            found.append(best)
    return found


def measure(folder: Path) -> dict[str, dict[str, float]]:
    """Return the line of each network of a study."""
    study = read_finished(folder)
    options = study.parameters.get("data_options", {})
    samples = list(load_dataset(study.dataset, **options).test)
    values: dict[str, list[float]] = defaultdict(list)
    images: dict[str, int] = defaultdict(int)
    for (label, _), (file, _) in study.files.items():
        model = load_checkpoint(file).model()
        for sample in samples:
            likelihood = predict(model, sample.image, window=study.parameters["window"])
            values[label] += weakest_pixels(likelihood, np.asarray(sample.mask, bool))
            images[label] += 1
    return {
        label: {
            "missing holes": len(found) / images[label],
            "median": float(np.median(found)),
            "below .1": float(np.mean(np.array(found) < 0.1)),
            "above .3": float(np.mean(np.array(found) > 0.3)),
        }
        for label, found in values.items()
        if found
    }


def main() -> None:
    """Measure, print, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--results", type=Path, help="a JSON file")
    arguments = parser.parse_args()
    lines = {read_finished(folder).dataset: measure(folder) for folder in arguments.folders}
    for dataset, networks in lines.items():
        print(f"{dataset:40} missing   median  below .1  above .3")
        for label, line in networks.items():
            print(f"  {label:38} {line['missing holes']:7.2f} {line['median']:8.3f}", end=" ")
            print(f"{line['below .1']:8.0%} {line['above .3']:8.0%}")
    if arguments.results:
        write_json(arguments.results, lines)


if __name__ == "__main__":
    main()
