"""What kind of errors does a loss mend? The faults of the networks of studies, counted by kind.

``python -m toposeg_lite.training faults runs/main/chase_db1-...`` takes the folder of a finished
study, as ``study`` and ``sweep`` leave it, predicts its test images once more with every network
that was compared, and counts in each image the breaks, false merges, spurious and missing
components, and false and missing holes (`toposeg_lite.differences`), beside the further metrics
that a study does not need for its choices (`toposeg_lite.further_metrics`). Nothing is trained or
chosen. What is counted is kept beside each network, ``NAME.faults.json``; ``--results`` is a folder
for tables, ``DATASET-faults.csv``, with a row for each image.

`which_loss` makes of such tables, one for each data set, the table that one looks for: which loss
for which fault.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ...checks import check_number, check_path, check_text
from ...data import Sample
from ...differences import KINDS, count_kinds, topology_differences
from ...files import make_folder, reading, write_atomically
from ...further_metrics import further_report
from ...training import load_checkpoint, predict
from ...training.checkpoint import digest
from ...training.records import git_commit, read_json, rows, write_json
from .finished import Finished, read_finished
from .options import option
from .results import check_table
from .scores import markdown, read_scores
from .statistics import (
    KEYS,
    change_interval,
    compare_networks,
)
from .study import REFERENCE_RUNS

__all__ = ["FaultsCommand", "count_faults", "read_faults", "which_loss"]

PLACE = ["dataset", "kind", "loss"]


def count_faults(likelihood: Any, sample: Sample, *, connectivity: int | None) -> dict[str, float]:
    """Count the faults of a likelihood's mask by their kind, and take the further metrics.

    Parameters
    ----------
    likelihood : array of float
        (H, W) or (D, H, W), in [0, 1]: the mask is where it is one half or more.
    sample : Sample
        The truth, and the pixels that do not count.
    connectivity : int, optional
        Of the foreground; see `toposeg_lite.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.zeros((5, 9), bool)
    >>> truth[2] = True
    >>> likelihood = np.where(truth, 0.9, 0.1)
    >>> likelihood[2, 4] = 0.2
    >>> sample = Sample("line", np.zeros((1, 5, 9), np.float32), truth)
    >>> faults = count_faults(likelihood, sample, connectivity=None)
    >>> faults["break"], faults["false merge"], faults["surface_dice"]
    (1, 0, 1.0)
    """
    masks = {"prediction": likelihood >= 0.5, "truth": sample.mask, "ignored": sample.ignored}
    kinds = count_kinds(topology_differences(**masks, connectivity=connectivity))
    further = further_report(**masks, connectivity=connectivity, spacing=sample.spacing)
    return {**kinds, **further}


@dataclass(frozen=True)
class FaultsCommand:
    """Count the faults of the networks of studies by their kind."""

    studies: Sequence[str] = option((), "folders of finished studies", positional=True)
    root: str | None = option(None, "the folder of downloaded data sets")
    results: str | None = option(None, "a folder for tables, DATASET-faults.csv")

    def run(self) -> dict[str, pd.DataFrame]:
        """Count what is not counted yet, print the means, and return the rows of each data set."""
        if isinstance(self.studies, str) or not self.studies:
            raise ValueError(f"studies must name one folder at least; got {self.studies!r}")
        finished = [read_finished(check_text(folder, "each of studies")) for folder in self.studies]
        names = [study.dataset for study in finished]
        if len(set(names)) < len(names):
            raise ValueError(f"studies must be of different data sets; got {', '.join(names)}")
        files = {} if self.results is None else {
            name: Path(self.results) / f"{name}-faults.csv" for name in names
        }  # fmt: skip
        for study in finished:
            if study.dataset in files:
                networks, seeds = zip(*study.files, strict=True)
                weights = [weight for _, weight in study.files.values()]
                check_table(files[study.dataset], network=networks, seed=seeds, weight=weights)
        if self.results is not None:
            make_folder(Path(self.results))
        tables = {}
        for study in finished:
            file = files.get(study.dataset)
            tables[study.dataset] = self._table(study, file)
            if file is not None:
                text = tables[study.dataset].to_csv(index=False, float_format="%.6g")
                write_atomically(file, text.encode())
        print(_means(tables))
        return tables

    def _table(self, study: Finished, file: Path | None) -> pd.DataFrame:
        """Return the faults of all networks of a study, image by image, if a file may have them."""
        first, _ = next(iter(study.files.values()))
        config = dataclasses.replace(load_checkpoint(first).config, root=self.root)
        samples = config.load().test
        if file is not None:
            check_table(file, image=[sample.name for sample in samples])
        tables = []
        for (label, seed), (path, weight) in tqdm(
            study.files.items(), desc=study.dataset, unit="network", file=sys.stderr, disable=None
        ):
            table = _faults(path, samples, study).rename_axis("image").reset_index()
            tables.append(table.assign(network=label, weight=weight, seed=seed))
        table = pd.concat(tables, ignore_index=True)
        return table[[*KEYS, *(key for key in table if key not in KEYS)]]


def _faults(path: Path, samples: Sequence[Sample], study: Finished) -> pd.DataFrame:
    """Return the faults of one network; read them if they are known."""
    network = load_checkpoint(path)
    settings = {key: study.parameters[key] for key in ("connectivity", "window")}
    counted = {"weights": digest(network.weights), **settings}
    beside = path.with_suffix(".faults.json")
    kept = read_json(beside) if beside.is_file() else {}
    with reading(beside, "table of faults"):
        is_ours = {key: kept.get(key) for key in counted} == counted
        is_ours = is_ours and list(kept.get("images", {})) == [sample.name for sample in samples]
    if not is_ours:
        model, window = network.model(), settings["window"]
        side = tuple(window) if isinstance(window, list) else window
        found = {}
        for sample in samples:
            likelihood = predict(model, sample.image, window=side)
            if likelihood.ndim != sample.mask.ndim:
                raise ValueError(
                    f"studies must be of one foreground class; {path} predicts {len(likelihood)}"
                )
            found[sample.name] = count_faults(
                likelihood, sample, connectivity=settings["connectivity"]
            )
        table = pd.DataFrame.from_dict(found, orient="index")
        kept = counted | {"git_commit": git_commit(), "images": rows(table)}
        write_json(beside, kept)
    return pd.DataFrame.from_dict(kept["images"], orient="index")


def _means(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the mean number of each kind of fault, by data set and network."""
    lines = []
    for dataset, table in tables.items():
        means = table.groupby("network", sort=False)[[*KINDS]].mean()
        for network, row in means.iterrows():
            lines.append([dataset, str(network), *(f"{row[kind]:.2f}" for kind in KINDS)])
    return markdown(["data set", "network", *KINDS], lines)


# --- Tables ---------------------------------------------------------------------------------------


def read_faults(folder: str | os.PathLike[str] | None = None) -> dict[str, pd.DataFrame]:
    """Read all ``DATASET-faults.csv`` of a folder, by data set; by default the reference runs.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read_faults(folder)
    {}
    """
    place = REFERENCE_RUNS if folder is None else check_path(folder, "folder")
    tables = {}
    for path in sorted(place.glob("*-faults.csv")):
        table = read_scores(path, (*KEYS, *KINDS), what="table of faults")
        tables[path.name.removesuffix("-faults.csv")] = table
    return tables


def which_loss(
    tables: Mapping[str, pd.DataFrame],
    *,
    level: float = 0.05,
    at_least: float = 1.0,
    seed: int = 0,
    groups: str | Mapping[str, Hashable] = "persons",
) -> pd.DataFrame:
    """Return what each loss does to each kind of fault, data set by data set.

    Intervals and tests are over the `groups` of images of `find_groups`; the persons of chase_db1
    are known. There is a row for each "dataset", "kind" and "loss", with the means over images and
    seeds:

    - "control", "score": how many faults of the kind an image has, with the control and the loss;
    - "change": the loss's, as a part of the control's: -0.5 says that half of them are mended;
    - "low", "high": the bootstrap interval of this part, over images and seeds;
    - "p_holm": of the sign-flip test over images, corrected for the number of losses;
    - "verdict": "fewer" or "more" where it is below `level`, else "unclear"; and "rare" where
      the control has less than `at_least` faults of the kind an image: there is nothing to mend.

    Examples
    --------
    >>> control = pd.DataFrame({"network": "control", "weight": 0, "seed": 0, "image": list("abc")})
    >>> control = control.assign(**{kind: 4 for kind in KINDS})
    >>> arm = control.assign(network="cldice", **{"break": [1, 2, 1], "false hole": 5})
    >>> table = which_loss({"drawn": pd.concat([control, arm])}, level=0.3)
    >>> table.loc[table["kind"] == "break", ["loss", "control", "verdict"]].to_numpy().tolist()
    [['cldice', 4.0, 'fewer']]
    """
    check_number(level, "level", positive=True)
    check_number(at_least, "at_least")
    if not isinstance(tables, Mapping) or not tables:
        raise ValueError(f"tables must map data sets to tables of faults; got {tables!r}")
    found = []
    for dataset, table in tables.items():
        for kind in KINDS:
            compared = compare_networks(table, kind, seed=seed, groups=groups)
            control = float(compared["control"].iloc[0])
            rows = compared[["control", "score", "p_holm"]].copy()
            rows["change"] = compared["difference"] / control if control else float("nan")
            options: dict[str, Any] = {"seed": seed, "groups": groups}
            ends = [change_interval(table, kind, loss, **options) for loss in compared.index]
            rows[["low", "high"]] = ends
            sure = compared["p_holm"] < level
            direction = np.where(compared["difference"] < 0, "fewer", "more")
            rows["verdict"] = np.where(sure, direction, "unclear")
            if control < at_least:
                rows["verdict"] = "rare"
            rows = rows.rename_axis("loss").reset_index()
            found.append(rows.assign(dataset=dataset, kind=kind))
    table = pd.concat(found, ignore_index=True)
    return table[[*PLACE, *(column for column in table if column not in PLACE)]]
