"""Runs of a study made by hand, for the tests of what shows them."""

from __future__ import annotations

import pandas as pd

from toposeg_lite.workbook.studies import Run

IMAGES = ["a", "b", "c", "d", "e", "f"]
ERRORS = {  # by seed and image; "good" is lower nearly everywhere, "bad" is higher
    "parent": [[9, 9, 9, 9, 9, 9], [9, 9, 9, 9, 9, 9]],
    "control": [[5, 3, 8, 2, 6, 4], [7, 3, 6, 4, 6, 2]],
    "good": [[2, 3, 4, 4, 1, 1], [2, 3, 3, 2, 3, 0]],
    "bad": [[6, 4, 9, 3, 9, 5], [8, 5, 9, 4, 9, 4]],
}
WEIGHTS = {"parent": 0.0, "control": 0.0, "good": 0.5, "bad": 3.0}


def make_run(name="walls-study", seeds=2, metrics=("dice", "betti_matching_error")):
    """Return a run made by hand; its Dice is 1 minus a hundredth of the error."""
    rows = []
    for network, errors in ERRORS.items():
        for seed in range(seeds):
            for image, error in zip(IMAGES, errors[seed % 2], strict=True):
                values = {"dice": 1 - error / 100, "betti_matching_error": float(error)}
                about = {"network": network, "weight": WEIGHTS[network], "seed": seed}
                rows.append(about | {"image": image} | {key: values[key] for key in metrics})
    tried = [
        ("control", 0, 0.0, 0.8, 6.0),
        ("control", 1, 0.0, 0.7, 5.0),
        ("good", 0, 0.1, 0.8, 5.0),
        ("good", 0, 0.5, 0.79, 3.0),
        ("good", 1, 0.5, 0.71, 3.5),
        ("bad", 0, 3.0, 0.5, 9.0),
        ("bad", 1, 3.0, 0.6, 8.0),
    ]
    columns = ["network", "seed", "weight", "dice", "betti_matching_error"]
    validation = pd.DataFrame(tried, columns=columns)[[*columns[:3], *metrics]]
    cost = pd.DataFrame({"network": ["good", "good", "bad"], "seed": [0, 1, 0],
                         "seconds_per_step": 0.1, "share_of_loss": [0.1, 0.2, 0.5]})  # fmt: skip
    return Run(name, "walls", pd.DataFrame(rows), validation, cost, {}, {})


def two_runs():
    small = make_run("small", seeds=1, metrics=("dice",))
    return {run.name: run for run in (make_run(), small)}
