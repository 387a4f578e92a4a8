"""Fetch the files of a benchmark once, check every byte, and say under what terms they come.

Where files are looked for, and put when they are missing: ``root``, else the folder that the
environment variable ``TOPOSEG_DATA`` names, else the user's cache. Each data set has a folder of
its name there, laid out like the repository that its files come from.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import time
from functools import cache
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

import pooch
from tqdm import tqdm

from ..checks import check_integer
from ..files import atomic_file, check_room, free_room, reading, remove_abandoned, size_text

__all__ = ["data_folder", "fetch", "read_registry", "registry"]

_SERVER = "https://raw.githubusercontent.com/{repository}/{commit}/"
_RETRIES = 2
_SHOWN: set[str] = set()


def _user_cache() -> Path:
    return Path(pooch.os_cache("toposeg_lite"))


def data_folder(root: str | PathLike[str] | None = None) -> Path:
    """Return the folder that holds the data sets: `root`, else ``TOPOSEG_DATA``, else the cache.

    Parameters
    ----------
    root : path, optional
        What the caller wants. ``~`` means the home folder.

    Returns
    -------
    Path
        It need not exist.

    Examples
    --------
    >>> data_folder("data").as_posix()
    'data'
    """
    if root is not None and not isinstance(root, str | PathLike):
        raise TypeError(f"root must be a path or None; got {root!r}")
    chosen = root if root is not None else os.environ.get("TOPOSEG_DATA")
    return Path(chosen).expanduser() if chosen else _user_cache()


@cache
def registry() -> dict[str, dict[str, Any]]:
    """Return where every file comes from and its SHA-256, as ``assets/benchmarks.json`` has it.

    Returns
    -------
    dict
        For each data set ``repository``, ``commit``, ``bytes`` (of all files) and ``files``, from
        path to hash. A part that is fetched apart names the ``folder`` of its data set.
        ``tools/make_benchmarks.py`` makes it.

    Examples
    --------
    >>> len(registry()["chase_db1"]["files"])
    84
    """
    asset = files("toposeg_lite.data").joinpath("assets", "benchmarks.json")
    return read_registry(asset.read_bytes())


def read_registry(content: bytes) -> dict[str, dict[str, Any]]:
    """Read the content of a list of files as `registry` returns it; else raise a ValueError.

    No path in it leads out of the folder of its data set.

    Examples
    --------
    >>> read_registry(b"{}")
    {}
    """
    with reading("the list of downloads", "list (install the library anew)"):
        table = json.loads(content)
        for source in table.values():
            check_integer(source["bytes"], "bytes")
            if not all(isinstance(source[key], str) for key in ("repository", "commit")):
                raise TypeError("repository and commit must be texts")
            for path, wanted in source["files"].items():
                parts = path.split("/")
                if not re.fullmatch(r"[\w./-]+", path) or {"", ".", ".."} & set(parts):
                    raise ValueError(f"{path!r} is no path in a folder")
                if not re.fullmatch("[0-9a-f]{64}", wanted):
                    raise ValueError(f"{wanted!r} is no SHA-256")
        return table


def fetch(name: str, root: str | PathLike[str] | None = None, *, terms: str) -> Path:
    """Return the folder of a data set once all its files are there and right.

    Files that are there are kept; the others are downloaded from a pinned commit, each to a
    temporary name that becomes its own only when its SHA-256 agrees. So a download that was cut
    off goes on where it stopped, and what it left under a temporary name is removed. Several
    processes may download one data set at once.

    Parameters
    ----------
    name : str
        A key of `registry()`.
    root : path, optional
        See `data_folder`.
    terms : str
        The terms of the data set, printed to standard error the first time that the user meets
        them; the user's cache remembers that.

    Returns
    -------
    Path
        The data set's folder.

    Raises
    ------
    ValueError
        If a file in the folder that `root` or ``TOPOSEG_DATA`` names has a wrong hash (it is left
        as it is; in the user's cache a damaged file is downloaded again), or if a downloaded file
        has.
    OSError
        If files are missing and cannot be downloaded, or there is no room for them; the message
        says what to do.

    Examples
    --------
    >>> from toposeg_lite.data.benchmarks import TERMS
    >>> folder = fetch("chase_db1", terms=TERMS["chase_db1"])  # doctest: +SKIP
    """
    source = registry()[name]
    place = source.get("folder", name)
    folder = data_folder(root) / place
    ours = folder == _user_cache() / place
    _show_terms(place, terms)
    missing: list[str] = []
    damaged: list[str] = []
    for path, wanted in source["files"].items():
        file = folder / path
        remove_abandoned(file)
        if not file.is_file():
            missing.append(path)
        elif (digest := pooch.file_hash(str(file))) != wanted:
            (missing if ours else damaged).append(path)
            trouble = f"{file} has SHA-256 {digest}, expected {wanted}"
    if damaged:
        raise ValueError(
            f"{len(damaged)} of {len(source['files'])} files of {name} are not the published ones; "
            f"they were left as they are. {trouble}. Delete what is damaged to have it downloaded "
            f"again: {', '.join(damaged)}"
        )
    if missing:
        _download(name, folder, missing)
    return folder


def _download(name: str, folder: Path, missing: list[str]) -> None:
    """Download files into a folder with one progress bar for all of them."""
    source = registry()[name]
    server = _SERVER.format(**source)
    share = len(missing) / len(source["files"])  # the size of each is not known
    check_room(_existing(folder), int(share * source["bytes"]), f"the files of {name}")
    title = f"Downloading {name} ({source['bytes'] / 1e6:.0f} MB in all)"
    try:
        for path in tqdm(missing, desc=title, unit="file"):
            _download_file(f"{server}{path}", folder / path, source["files"][path])
    except ValueError as error:
        raise ValueError(
            f"{server}{path} did not arrive as published, expected SHA-256 "
            f"{source['files'][path]}: {error}. Nothing was written for it; try again later"
        ) from error
    except OSError as error:  # the errors of requests are kinds of it
        absent = sum(not (folder / path).is_file() for path in missing)
        text = f"{absent} of {len(source['files'])} files of {name} are not in {folder} and could "
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            free = free_room(_existing(folder))
            needed = size_text(int(absent / len(source["files"]) * source["bytes"]))
            room = (
                "" if free is None else f"; about {needed} are needed, {size_text(free)} are free"
            )
            raise OSError(
                error.errno,
                f"{error.strerror}: {text}not be written{room}. What has arrived is kept: make "
                f"room and call again, or name another folder as root=, or in the environment "
                f"variable TOPOSEG_DATA",
            ) from error
        raise OSError(
            f"{text}not be downloaded from {server}: {error}. With a network, call again: what "
            f"has arrived is kept. Without one, copy the folder {folder.name!r} from a machine "
            f"that has it, and name the folder around it as root=, or in the environment variable "
            f"TOPOSEG_DATA"
        ) from error


def _existing(folder: Path) -> Path:
    """Return the nearest folder around one that need not be there yet."""
    return next((place for place in (folder, *folder.parents) if place.is_dir()), Path())


def _download_file(address: str, file: Path, wanted: str) -> None:
    """Download a file, trying again what failed; it takes its place when its hash agrees."""
    file.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(_RETRIES + 1):
        try:
            with atomic_file(file) as partial:
                pooch.HTTPDownloader()(address, partial, None)
                partial.flush()
                digest = pooch.file_hash(partial.name)
                if digest != wanted:
                    raise ValueError(f"it has SHA-256 {digest}")
            return
        except (ValueError, OSError) as error:
            # What the disk says has a number, what the network says has none.
            if attempt == _RETRIES or getattr(error, "errno", None) is not None:
                raise
            time.sleep(attempt + 1)


def _show_terms(name: str, terms: str) -> None:
    """Print the terms unless this user has seen them."""
    note = _user_cache() / "terms" / f"{name}.txt"
    if name in _SHOWN or (note.is_file() and note.read_text(encoding="utf-8") == terms):
        return
    print(f"Terms of the data set {name} (shown once):\n{terms}", file=sys.stderr)
    _SHOWN.add(name)
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(terms, encoding="utf-8")
    except OSError:
        pass  # a home that cannot be written to: shown once in every process
