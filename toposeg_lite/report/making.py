"""From two folders of masks to the folder of a report."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from .. import __version__
from ..checks import check_integer, check_path, check_text
from ..data.folders import listed
from ..files import atomic_file, make_folder, one_writer, write_atomically
from .kept import KeptRows
from .options import ReportOptions
from .page import report_page
from .pairs import Pair, find_pairs
from .processes import Pool, executor, in_chunks, workers_for
from .scoring import check_pairs, score_pairs

__all__ = ["make_report"]

#: Fewer pairs than this are done in this process: others take seconds to start.
FEW = 8


def make_report(
    predictions: str | os.PathLike[str],
    truths: str | os.PathLike[str],
    out: str | os.PathLike[str] = "report",
    *,
    compare: str | os.PathLike[str] | None = None,
    options: ReportOptions | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    worst: int = 12,
    say: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Score all predictions of a folder against their truths and write a report.

    Files are png, jpg, tif (several pages are a volume), npy, mat or nii and nii.gz, matched by
    name, and read as `toposeg_lite.data.folder` reads masks. All are read and checked before the
    first is scored; one error lists every file without a partner, of another shape or unreadable.
    The same call goes on with what was stopped; files that were changed since are scored anew.

    Parameters
    ----------
    predictions, truths : path
        Two folders of masks.
    out : path
        The folder of the report, made if it is not there.
    compare : path, optional
        The predictions of another method, of the same images: the methods are then compared, paired
        by image.
    options : ReportOptions, optional
        How masks are read and scored.
    workers : int, optional
        How many processes score, each a pair at a time. None means one for each core. In a script
        of your own keep the call below ``if __name__ == "__main__":``, or use 1. A Dask scheduler
        has its own workers: with one this must be None.
    scheduler : str, optional
        The address of a Dask scheduler (``tcp://...``) whose workers do it; they must see the same
        files. Needs ``toposeg_lite[scale]``.
    worst : int
        How many images the page shows, those with the largest error first.
    say : callable, optional
        Takes one line of text at a time, about the progress. None: nothing is said.

    Returns
    -------
    DataFrame
        A row for each method and image, as ``scores.parquet`` holds it: "method" (the name of its
        folder), "image", "shape", all that `toposeg_lite.metrics.report` returns, and how many
        differences of each kind there are (`toposeg_lite.differences.KINDS`), "break_count" and so
        on.

    Raises
    ------
    ValueError
        With every fault of the files in one message; or if `out` holds a report that was made with
        other settings.
    FileNotFoundError
        If a folder does not exist.
    ModuleNotFoundError
        If pyarrow is missing, which writes the table; the message says how to install it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as place:
    ...     for name, masks in (("mine", [1, 0, 1]), ("truth", [1, 1, 1])):
    ...         (Path(place) / name).mkdir()
    ...         np.save(Path(place, name, "a.npy"), np.array([masks]))
    ...     table = make_report(Path(place, "mine"), Path(place, "truth"), Path(place, "report"))
    >>> table[["method", "image", "dice", "betti_0_error", "break_count"]].values.tolist()
    [['mine', 'a', 0.8, 1.0, 1]]
    """
    _check_parquet()
    folders = {"predictions": predictions, "truths": truths} | (
        {} if compare is None else {"compare": compare}
    )
    places = {label: _check_folder(folder, label) for label, folder in folders.items()}
    options = ReportOptions() if options is None else options
    if not isinstance(options, ReportOptions):
        raise TypeError(f"options must be ReportOptions; got {type(options).__name__}")
    workers = None if workers is None else check_integer(workers, "workers", 1)
    scheduler = None if scheduler is None else check_text(scheduler, "scheduler")
    if workers is not None and scheduler is not None:
        raise ValueError(
            f"workers must be left out with a scheduler, {scheduler}, which has its own; got "
            f"workers={workers}"
        )
    worst = check_integer(worst, "worst")
    if say is not None and not callable(say):
        raise TypeError(f"say must be a function of a text; got {say!r}")
    say = say or (lambda line: None)
    out = make_folder(check_path(out, "out"))
    methods = _name_methods(places)
    settings = {
        "version": __version__,
        "folders": {method: str(place.resolve()) for method, place in methods.items()},
        "truths": str(places["truths"].resolve()),
        "options": asdict(options),
    }
    problems: list[str] = []
    pairs = find_pairs(methods, places["truths"], options, problems)
    path = out / "scores.jsonl"
    with one_writer(path):
        kept = KeptRows(path, settings)
        todo = [pair for pair in pairs if not kept.known(pair)]
        width = workers_for(workers)
        alone = scheduler is None and (width == 1 or len(todo) < FEW)
        with nullcontext() if alone else executor(width, scheduler) as pool:
            problems += _check(todo, options, pool, say)
            _refuse(problems)
            _score(todo, options, pool, kept, say)
        rows = [kept.rows[pair.method, pair.name] for pair in pairs]
    table = pd.DataFrame(rows).drop(columns="files")
    with atomic_file(out / "scores.parquet") as file:
        table.to_parquet(file, index=False)
    page = report_page(table, pairs, options, settings, worst)
    write_atomically(out / "report.html", page.encode())
    say(f"{out / 'report.html'}: {len(pairs)} masks")
    return table


def _check_parquet() -> None:
    """Say how to install what writes the table, before hours of work."""
    try:
        import_module("pyarrow")
    except ImportError as error:
        raise ModuleNotFoundError(
            "the table of a report needs pyarrow: pip install 'toposeg_lite[scale]'"
        ) from error


def _check_folder(folder: Any, label: str) -> Path:
    path = check_path(folder, label).expanduser()
    if not path.is_dir():
        raise FileNotFoundError(f"{label} must be an existing folder; got {path}")
    return path


def _name_methods(places: dict[str, Path]) -> dict[str, Path]:
    """Return the folders of predictions by what the report calls them: by as little as differs."""
    found = [places[key].resolve() for key in ("predictions", "compare") if key in places]
    if len(found) == 2 and found[0] == found[1]:
        raise ValueError(f"compare must be another folder than predictions; got {found[0]} twice")
    depth = 1
    while len({path.parts[-depth:] for path in found}) < len(found):
        depth += 1
    return {"/".join(path.parts[-depth:]): path for path in found}


def _check(
    todo: Sequence[Pair],
    options: ReportOptions,
    pool: Pool | None,
    say: Callable[[str], None],
) -> list[str]:
    """Return what is wrong with the pairs that are to be scored."""
    problems, done = [], 0
    for count, found in in_chunks(partial(check_pairs, options=options), todo, pool, chunk=64):
        problems += found
        done += count
        say(f"checked {done} of {len(todo)}")
    return problems


def _refuse(problems: Sequence[str]) -> None:
    """Raise an error that lists what is wrong, if anything is."""
    if problems:
        raise ValueError(listed(sorted(set(problems)), "with the masks; nothing was scored"))


def _score(
    todo: Sequence[Pair],
    options: ReportOptions,
    pool: Pool | None,
    kept: KeptRows,
    say: Callable[[str], None],
) -> None:
    """Score the pairs and keep the rows as they come in."""
    done = 0
    width = 1 if pool is None else pool[1]
    chunk = max(min(16, len(todo) // (4 * width)), 1)
    for count, rows in in_chunks(partial(score_pairs, options=options), todo, pool, chunk=chunk):
        kept.add(rows)
        done += count
        say(f"scored {done} of {len(todo)}")
