"""Do losses keep their order elsewhere? The networks of a study on the images of another data set.

``python -m toposeg_lite.training across runs/main/chase_db1-... --onto retina`` takes the folder of
a finished study, as ``study`` and ``sweep`` leave it, and scores its networks, the control and each
loss in its chosen weight, with every seed, on the test images of another data set. Nothing is
trained and nothing is chosen there. A data set with options is written
``betti_matching_examples:kind=roads``.

The images are shown to a network in the way that it has learned to see:

- **Channels.** A network for colours sees grey images three times over; one for grey images sees of
  colours their luminance (ITU-R BT.709, the weights of scikit-image's ``rgb2gray``).
- **Contrast.** Where structures are dark in one data set and bright in the other (`CONTRAST`), the
  images are inverted, 1 - image. ``--contrast same`` and ``--contrast inverted`` decide it by hand.
- **Scale.** With ``--scale 0.5`` the network sees images of half the side, and its logits are
  enlarged again; masks are never resized, so their topology is what it was. By default nothing is
  resized.

What is scored is kept in ``--out``, a file for each network; ``--results`` is a folder for tables,
``across-HOME-AWAY.csv``, with the scale in its name if it is not 1, which hold the scores at home
as well (see `transfer`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ...checks import check_choice, check_flag, check_integer, check_number, check_text
from ...data import Dataset, list_datasets, load_dataset
from ...files import make_folder, reading, write_atomically
from ...training import Checkpoint, evaluate, load_checkpoint
from ...training.checkpoint import digest
from ...training.config import check_data_options, check_network
from ...training.records import git_commit, read_json, rows, write_json
from .finished import Finished, read_finished
from .notebook import read_value
from .options import option
from .results import check_table
from .scores import COLUMNS, read_scores
from .statistics import KEYS
from .transfer import SETTINGS, Transfer, transfer_tables

__all__ = ["CONTRAST", "AcrossCommand", "Visitor", "contrast_of", "name_of", "read_name"]

#: Whether the structures of a data set are darker or brighter than what is beside them, in most of
#: its test images (a test measures it; of epfl_roads 14 of 20 are bright).
CONTRAST = {
    "retina": "dark",
    "brick": "bright",
    "vessels": "dark",
    "membranes": "dark",
    "cracks": "dark",
    "roads": "bright",
    "lanes": "bright",
    "tubes": "bright",
    "topomortar": "bright",
    "chase_db1": "dark",
    "isbi2012_membranes": "dark",
    "crackforest": "dark",
    "epfl_roads": "bright",
    "vesselnn_3d": "bright",
    "betti_matching_examples": "dark",
    "betti_matching_examples:kind=roads": "bright",
}
#: How much red, green and blue add to luminance.
LUMINANCE = (0.2125, 0.7154, 0.0721)


# --- Names of data sets ---------------------------------------------------------------------------


def read_name(text: str, name: str = "onto") -> tuple[str, dict[str, Any]]:
    """Return the data set and its options that a text names, ``NAME`` or ``NAME:OPTION=VALUE,...``.

    Examples
    --------
    >>> read_name("topomortar:group=angles,training=10")
    ('topomortar', {'group': 'angles', 'training': 10})
    """
    dataset, colon, rest = check_text(text, name).partition(":")
    check_choice(dataset, list_datasets(), f"each data set of {name}")
    options = {}
    for part in rest.split(",") if colon else []:
        key, equals, value = part.partition("=")
        if not (key and equals and value):
            raise ValueError(f"{name} must be written NAME:OPTION=VALUE,OPTION=VALUE; got {text!r}")
        options[key] = read_value(value)
    return dataset, check_data_options(options, dataset, name)


def name_of(dataset: str, options: dict[str, Any]) -> str:
    """Return the text that names a data set with options.

    Examples
    --------
    >>> name_of("betti_matching_examples", {"kind": "roads"})
    'betti_matching_examples:kind=roads'
    """
    given = ",".join(f"{key}={value}" for key, value in sorted(options.items()))
    return f"{dataset}:{given}" if given else dataset


def contrast_of(name: str) -> str | None:
    """Return whether the structures of a data set are "dark" or "bright"; None: nobody knows.

    Examples
    --------
    >>> contrast_of("chase_db1"), contrast_of("topomortar:group=angles"), contrast_of("folder")
    ('dark', 'bright', None)
    """
    return CONTRAST.get(name, CONTRAST.get(check_text(name, "name").partition(":")[0]))


# --- The network ----------------------------------------------------------------------------------


class Visitor(nn.Module):
    """A network that is shown other images as it has learned to see images.

    ``forward`` takes (B, C, *spatial) and returns logits of the same spatial shape.

    Parameters
    ----------
    model : torch.nn.Module
        The network.
    channels : int
        How many channels it takes. Grey images are repeated for 3; of colours 1 is the luminance.
    inverted : bool
        Whether 1 - image is shown.
    scale : float
        By which factor the sides of images are multiplied.

    Examples
    --------
    >>> import torch
    >>> grey = torch.full((1, 1, 4, 4), 0.25)
    >>> Visitor(nn.Identity(), channels=3, inverted=True)(grey).shape
    torch.Size([1, 3, 4, 4])
    """

    def __init__(
        self, model: nn.Module, *, channels: int, inverted: bool = False, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.model = check_network(model)
        self.channels = check_integer(channels, "channels", 1)
        self.inverted = check_flag(inverted, "inverted")
        self.scale = check_number(scale, "scale", positive=True)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the network."""
        check_channels(images.shape[1], self.channels)
        seen, sides = images, images.shape[2:]
        if images.shape[1] > self.channels:
            weights = images.new_tensor(LUMINANCE).reshape(1, 3, *[1] * len(sides))
            seen = (weights * images).sum(1, keepdim=True)
        elif images.shape[1] < self.channels:
            seen = images.expand(-1, self.channels, *sides)
        seen = 1 - seen if self.inverted else seen
        if self.scale == 1:
            return self.model(seen)
        changed = [max(1, round(self.scale * side)) for side in sides]
        flat = len(sides) == 2
        options: dict[str, Any] = {"mode": "bilinear" if flat else "trilinear"}
        seen = F.interpolate(seen, changed, antialias=flat and self.scale < 1, **options)
        return F.interpolate(self.model(seen), sides, **options)


def check_channels(given: int, wanted: int) -> None:
    """Raise a ValueError unless images of some channels can be shown to a network of others."""
    if given != wanted and {given, wanted} != {1, 3}:
        raise ValueError(
            f"images with {given} channels cannot be shown to a network for {wanted}: only grey "
            f"and colour stand for each other"
        )


# --- The command ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Trip:
    """One study and one other data set, and how its images are shown."""

    home: Finished
    away: str
    data: Dataset
    inverted: bool
    channels: int
    scale: float

    @property
    def facts(self) -> dict[str, Any]:
        """What stands in each row of the table: how it was scored, for how long trained."""
        given, seen = self.data.channels, "as they are"
        if given != self.channels:
            seen = "luminance" if given > self.channels else "grey repeated"
        steps = {key: self.home.parameters[key] for key in ("pretrain_steps", "finetune_steps")}
        return {
            "home": _name(self.home),
            "away": self.away,
            "contrast": "inverted" if self.inverted else "same",
            "channels": seen,
            "scale": self.scale,
            **steps,
        }

    @property
    def file(self) -> str:
        """How the table of the pair is called."""
        end = "" if self.scale == 1 else f"-scale={self.scale:g}"
        return f"across-{_plain(_name(self.home))}-{_plain(self.away)}{end}.csv"


@dataclass(frozen=True)
class AcrossCommand:
    """Score networks of studies on other data sets: whether the order of the losses holds."""

    studies: Sequence[str] = option((), "folders of finished studies", positional=True)
    onto: Sequence[str] = option((), "other data sets, NAME or NAME:OPTION=VALUE")
    root: str | None = option(None, "the folder of downloaded data sets")
    contrast: str = option("table", "table, same or inverted: whether 1 - image is shown")
    scale: float = option(1.0, "by which the sides of images are multiplied for the network")
    window: int = option(512, "side of the windows in which images are predicted")
    out: str = option("runs/across", "the folder where what is scored is kept")
    results: str | None = option(None, "a folder for tables, across-HOME-AWAY.csv")

    def run(self) -> dict[str, Transfer]:
        """Score what is not scored yet, print the tables, and return the scores of each pair."""
        trips = self._trips()
        folder = None if self.results is None else Path(self.results)
        if folder is not None:
            for trip in trips:
                _check_kept(folder / trip.file, trip)
            make_folder(folder)
        found = {}
        count = sum(len(trip.home.files) for trip in trips)
        with tqdm(total=count, unit="network", file=sys.stderr, disable=None) as bar:
            for trip in trips:
                table = self._table(trip, bar)
                settings = {k: v for k, v in trip.facts.items() if k not in ("home", "away")}
                transfer = Transfer(_name(trip.home), trip.away, table, settings)
                found[transfer.name] = transfer
                if folder is not None:
                    _write(folder / trip.file, table.assign(**trip.facts))
        print(transfer_tables(found))
        return found

    def _trips(self) -> list[_Trip]:
        """Return what is to be scored, with everything checked and loaded."""
        for name in ("studies", "onto"):
            given = getattr(self, name)
            if isinstance(given, str) or not isinstance(given, Sequence) or not given:
                raise ValueError(f"{name} must name one at least, in a sequence; got {given!r}")
        check_choice(self.contrast, ("table", "same", "inverted"), "contrast")
        scale = check_number(self.scale, "scale", positive=True)
        homes = [read_finished(check_text(folder, "each of studies")) for folder in self.studies]
        names = [_name(home) for home in homes]
        if len(set(names)) < len(names):
            raise ValueError(f"studies must be of different data sets; got {', '.join(names)}")
        trips = []
        for text in self.onto:
            dataset, options = read_name(text)
            away = name_of(dataset, options)
            data = load_dataset(dataset, root=self.root, **options)
            if not data.test:
                raise ValueError(f"onto must name data sets with test images; {away} has none")
            for home in homes:
                trips.append(_Trip(home, away, data, self._inverted(_name(home), away),
                                   _channels(home, data), scale))  # fmt: skip
        if len({(_name(trip.home), trip.away) for trip in trips}) < len(trips):
            raise ValueError(f"onto must name different data sets; got {', '.join(self.onto)}")
        return trips

    def _inverted(self, home: str, away: str) -> bool:
        """Return whether images are inverted."""
        if home == away:
            raise ValueError(f"onto must name another data set than the study's own, {home}")
        if self.contrast != "table":
            return self.contrast == "inverted"
        contrasts = contrast_of(home), contrast_of(away)
        if None in contrasts:
            raise ValueError(
                f"contrast must be same or inverted: nobody knows whether the structures of "
                f"{home if contrasts[0] is None else away} are dark or bright"
            )
        return contrasts[0] != contrasts[1]

    def _table(self, trip: _Trip, bar: Any) -> pd.DataFrame:
        """Return the scores of all networks of a study, at home and away."""
        path = trip.home.folder / "study.csv"
        home = read_scores(path, (*KEYS, "dice"), what="table of a study")
        tables = [home[home["network"] != "parent"].assign(place="home")]
        for (label, seed), (file, weight) in trip.home.files.items():
            table = self._score(trip, file, seed).rename_axis("image").reset_index()
            key: dict[str, Any] = {
                "place": "away",
                "network": label,
                "weight": weight,
                "seed": seed,
            }
            tables.append(table.assign(**key))
            bar.update()
        table = pd.concat(tables, ignore_index=True)
        return table[["place", *KEYS, *(key for key in COLUMNS if key in table)]]

    def _score(self, trip: _Trip, file: Path, seed: int) -> pd.DataFrame:
        """Return the scores of one network away; read them if they are known."""
        network, shared = load_checkpoint(file), trip.home.parameters
        patch = trip.data.patch if shared["in_patches"] else None
        scored = {
            "weights": digest(network.weights),
            "connectivity": shared["connectivity"],
            "window": self.window,
            "patch": patch,
            **{key: trip.facts[key] for key in ("contrast", "channels", "scale")},
        }
        pair = f"{trip.home.folder.name}-{_plain(trip.away)}"
        path = make_folder(Path(self.out) / pair / f"seed{seed}") / f"{file.stem}.json"
        kept = read_json(path) if path.is_file() else {}
        names = [sample.name for sample in trip.data.test]
        with reading(path, "table of scores"):
            is_ours = {key: kept.get(key) for key in scored} == scored
            is_ours = is_ours and list(kept.get("images", {})) == names
        if not is_ours:
            table = _evaluate(network, trip, self.window, shared["connectivity"], patch)
            kept = scored | {"git_commit": git_commit(), "images": rows(table)}
            write_json(path, kept)
        return pd.DataFrame.from_dict(kept["images"], orient="index").filter(list(COLUMNS))


def _evaluate(
    network: Checkpoint, trip: _Trip, window: int, connectivity: int | None, patch: int | None
) -> pd.DataFrame:
    """Predict and score the test images of the other data set."""
    model = Visitor(network.model(), channels=trip.channels, inverted=trip.inverted,
                    scale=trip.scale)  # fmt: skip
    return evaluate(
        model,
        trip.data.test,
        labels=trip.data.labels,
        connectivity=connectivity,
        patch=patch,
        window=max(1, round(window / trip.scale)),  # so that the network sees so many pixels
    ).table


def _channels(home: Finished, data: Dataset) -> int:
    """Return how many channels the networks of a study take; they must fit the other images."""
    file, _ = next(iter(home.files.values()))
    options = load_checkpoint(file).network
    if options.get("ndim", 2) != data.ndim:
        raise ValueError(
            f"onto must name data sets of {options.get('ndim', 2)} axes, as the networks of "
            f"{_name(home)} take them; {data.name} has {data.ndim}"
        )
    channels = int(options["in_channels"])
    check_channels(data.channels, channels)
    return channels


def _name(home: Finished) -> str:
    """Return the name of the data set of a study."""
    return name_of(home.dataset, home.parameters.get("data_options", {}))


def _plain(name: str) -> str:
    """Return a name as a part of a file's name."""
    return name.replace(":", "-").replace(",", "-")


def _check_kept(path: Path, trip: _Trip) -> None:
    """Raise a ValueError if there is a table of other networks, or of images shown otherwise."""
    networks, seeds = zip(*trip.home.files, strict=True)
    weights = [weight for _, weight in trip.home.files.values()]
    facts = {key: [value] for key, value in trip.facts.items()}
    check_table(path, **facts, network=networks, seed=seeds, weight=weights)


def _write(path: Path, table: pd.DataFrame) -> None:
    """Write the table of a pair, the scores to 6 significant digits."""
    scores = [key for key in COLUMNS if key in table]
    text = table[[*SETTINGS, "place", *KEYS, *scores]].to_csv(index=False, float_format="%.6g")
    write_atomically(path, text.encode())
