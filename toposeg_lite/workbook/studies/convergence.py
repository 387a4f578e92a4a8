"""Has a parent learned what it can? Its scores of the validation images, while it is trained.

``python -m toposeg_lite.training convergence --datasets chase_db1`` trains the parent of a study
for longer than the study does and looks at the validation images on the way. A study whose parent
still gets better would measure how losses learn, not what they change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...files import make_folder, write_atomically
from ...training import train
from .options import option, training_of
from .results import MEND, check_table
from .scores import markdown

__all__ = ["ConvergenceCommand"]


@dataclass(frozen=True)
class ConvergenceCommand:
    """Train parents and look at their validation scores on the way; what is done is kept."""

    datasets: Sequence[str] = option(("chase_db1",), "names of data sets")
    root: str | None = option(None, "the folder of downloaded data sets")
    out: str = option("runs/convergence", "the folder of the networks")
    results: str | None = option(None, "a folder for tables, DATASET-convergence.csv")
    steps: int = option(4000, "steps of training")
    every: int = option(500, "steps between two looks")
    patch: int = option(128, "side of the crops")
    batch: int = option(4, "crops a step")
    light: float = option(0.3, "how much the light of a crop is changed")
    window: int = option(512, "side of the windows in which validation images are predicted")
    seed: int = option(0, "decides the first weights and the crops")

    def run(self) -> dict[str, pd.DataFrame]:
        """Train, print the looks, and return them."""
        configs = {
            name: dataclasses.replace(
                training_of(self, name),
                anneal=False,
                validate_every=self.every,
                validation_window=self.window,
                checkpoint_every=self.every,
            )
            for name in self.datasets
        }
        if self.every > self.steps:
            raise ValueError(
                f"every must be at most steps, or nobody looks; got every={self.every} and "
                f"steps={self.steps}"
            )
        files = {} if self.results is None else {
            name: Path(self.results) / f"{name}-convergence.csv" for name in configs
        }  # fmt: skip
        for name, file in files.items():
            self._check_kept(file, self._network(name))
        looks = {}
        for name, config in configs.items():
            looks[name] = train(config, out=self._network(name), resume=True).validation
            print(_table(name, looks[name]), flush=True)
            if name in files:
                make_folder(files[name].parent)
                text = looks[name].astype({"step": int}).to_csv(index=False, float_format="%.6g")
                write_atomically(files[name], text.encode())
        return looks

    def _network(self, name: str) -> Path:
        """Return where the network of a data set is kept."""
        return Path(self.out) / f"{name}.safetensors"

    def _check_kept(self, file: Path, network: Path) -> None:
        """Raise a ValueError if there are looks already, and they may be those at another network.

        The looks do not say how the network was trained. Its checkpoint does: where it is missing,
        nobody knows, and where it is another one, the training refuses to go on with it.
        """
        check_table(file, step=range(self.every, self.steps + 1, self.every))
        if file.exists() and not network.exists():
            raise ValueError(f"{file} holds looks at a network that is not {network}; {MEND}")


def _table(name: str, looks: pd.DataFrame) -> str:
    """Return the looks at one data set, a column for each."""
    header = [name, *(f"{step:.0f} steps" for step in looks["step"])]
    dice = ["Dice", *(f"{value:.3f}" for value in looks["dice"])]
    error = ["Betti matching error", *(f"{value:.1f}" for value in looks["betti_matching_error"])]
    return markdown(header, [dice, error])
