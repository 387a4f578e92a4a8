"""Which prediction goes with which truth, and what both hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..data.files import UnreadableFile
from ..data.folders import (
    LISTED,
    almost_same,
    one_form,
    stand_upright,
    structure_of,
    usable_files,
)
from ..data.nifti import lay_on
from ..data.reading import KINDS, read_file, stem, to_likelihood
from .options import ReportOptions

__all__ = ["Pair", "find_pairs", "read_pair"]


class Pair(NamedTuple):
    """A prediction of some method and its truth."""

    method: str
    name: str
    prediction: Path
    truth: Path

    def state(self) -> list[int]:
        """Return size and time of both files: other files are scored anew."""
        return [
            number
            for path in (self.prediction, self.truth)
            for number in (path.stat().st_size, path.stat().st_mtime_ns)
        ]


def find_pairs(
    methods: dict[str, Path], truths: Path, options: ReportOptions, problems: list[str]
) -> list[Pair]:
    """Return the pairs of each method, sorted by name, and note all files without a partner."""
    wanted = _by_name(truths, options.truth_names, problems)
    pairs = []
    for method, folder in methods.items():
        found = _by_name(folder, options.prediction_names, problems)
        lonely = sorted(found.keys() - wanted.keys()), sorted(wanted.keys() - found.keys())
        others = {name: wanted[name].name for name in lonely[1]}
        for place, name in enumerate(lonely[0]):
            file = options.truth_names.replace("*", name)
            text = f"{found[name]}: no truth {file}.* in {truths}"
            problems.append(text + (almost_same(name, others) if place < LISTED else ""))
        others = {name: found[name].name for name in lonely[0]}
        for place, name in enumerate(lonely[1]):
            file = options.prediction_names.replace("*", name)
            text = f"{wanted[name]}: no prediction {file}.* in {folder}"
            problems.append(text + (almost_same(name, others) if place < LISTED else ""))
        shared = sorted(found.keys() & wanted.keys())
        pairs += [Pair(method, name, found[name], wanted[name]) for name in shared]
    if not pairs and not problems:
        problems.append(f"no mask in {truths}; the known kinds are {', '.join(KINDS)}")
    return pairs


def _by_name(place: Path, pattern: str, problems: list[str]) -> dict[str, Path]:
    """Return the files of a folder by what stands in their names for the star of a pattern."""
    before, after = map(one_form, pattern.split("*"))
    named: dict[str, Path] = {}
    for path in usable_files([place], problems):
        key = one_form(stem(path))
        long = len(key) > len(before) + len(after)
        if not (long and key.startswith(before) and key.endswith(after)):
            problems.append(f"{path}: is not named like {pattern!r}")
            continue
        known = named.setdefault(key[len(before) : len(key) - len(after)], path)
        if known is not path:
            problems.append(f"{path}: has the same name as {known.name}")
    return named


def read_pair(
    pair: Pair, options: ReportOptions
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return prediction, truth and ignored pixels; a ValueError names all that is wrong with them.

    Pictures that say how their camera was held are turned upright; where one of the two alone says
    so, the shapes decide, and where they fit either way, the pair is refused. A NIfTI prediction is
    turned along the axes of its truth.
    """
    problems: list[str] = []
    truth_file = _read(pair.truth, problems, indices=True, ignore=options.ignore)
    content = _read(pair.prediction, problems, indices=options.threshold is None)
    if truth_file is not None and content is not None:
        try:
            truth_file, content = stand_upright(truth_file, lay_on(content, truth_file))
        except ValueError as error:  # they lie at different places, or may do so
            text = (
                str(error).replace("the image", "the truth").replace("the mask", "the prediction")
            )
            problems.append(f"{pair.prediction}: {text}")
    prediction = truth = ignored = None
    if truth_file is not None:
        _, truth, ignored = structure_of(
            str(pair.truth), truth_file.array, options.foreground, options.ignore, problems
        )
    if content is not None:
        prediction = _structure(pair.prediction, content.array, options, problems)
    if prediction is not None and truth is not None:
        problems += _shape_problems(pair, prediction, truth, options)
    if problems or prediction is None or truth is None:
        raise ValueError("\n".join(problems))
    return prediction, truth, ignored


def _structure(
    path: Path, values: np.ndarray, options: ReportOptions, problems: list[str]
) -> np.ndarray | None:
    """Return where a prediction has its structure; what is wrong with its values is noted."""
    if options.threshold is None:
        return structure_of(str(path), values, options.foreground, None, problems)[1]
    try:
        return np.asarray(to_likelihood(values) >= options.threshold)
    except ValueError as error:
        problems.append(f"{path}: {error}")
        return None


def _shape_problems(
    pair: Pair, prediction: np.ndarray, truth: np.ndarray, options: ReportOptions
) -> Sequence[str]:
    if truth.ndim not in (2, 3):
        return [f"{pair.truth}: a mask must have 2 or 3 axes; its shape is {truth.shape}"]
    if prediction.shape != truth.shape:
        return [f"{pair.prediction}: has shape {prediction.shape}, its truth {truth.shape}"]
    if options.connectivity is not None and options.connectivity > truth.ndim:
        return [f"{pair.truth}: connectivity {options.connectivity} wants as many axes"]
    return []


def _read(path: Path, problems: list[str], **options: Any) -> Any:
    """Return what a file holds, or None and a note if it cannot be read."""
    try:
        content = read_file(path, **options)
    except (UnreadableFile, OSError) as error:
        problems.append(str(error) if isinstance(error, UnreadableFile) else f"{path}: {error}")
        return None
    if content.array.size == 0 or content.array.dtype.kind not in "biuf":
        shape, dtype = content.array.shape, content.array.dtype
        problems.append(f"{path}: holds no real numbers (shape {shape}, {dtype})")
        return None
    return content
