"""Your own images: two folders of files, one of images and one of masks, become a data set."""

from __future__ import annotations

import difflib
import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..checks import check_choice, check_integer, check_text
from .files import FileContent, UnreadableFile
from .nifti import lay_on
from .reading import KINDS, channels_first, ending, read_file, stem, to_likelihood, upright
from .samples import Dataset, Sample
from .turning import TURNS

__all__ = ["folder"]

SPLITS = ("train", "validation", "test")
#: How many problems are listed; the others are counted. Only names among the first of these are
#: compared with all others: of very many names that would take hours.
LISTED = 50
Split = Sequence[float] | Mapping[str, Sequence[str]]


def folder(
    images: str | PathLike[str],
    masks: str | PathLike[str],
    *,
    mask_suffix: str = "",
    foreground: str = "nonzero",
    ignore: int | None = None,
    scale: str = "type",
    variable: str | None = None,
    mask_variable: str | None = None,
    split: Split = (0.6, 0.2, 0.2),
    group: Callable[[str], Hashable] | None = None,
    seed: int = 0,
    labels: Literal["foreground", "background"] = "foreground",
    patch: int | None = None,
    name: str = "folder",
) -> Dataset:
    """Return a data set made of your own images and masks.

    Files are png, jpg, tif (several pages are a volume), npy, mat or nii and nii.gz (which need
    nibabel); `toposeg_lite.data.reading.read_file` says how each is read, and what palettes,
    colours, transparency and the tags of a tif mean in a mask. An image and its mask have the same
    name up to the ending, so ``images/cell7.tif`` goes with ``masks/cell7.png``.

    A mask is read as its author saw it, or refused: what was decided is in the `notes` of each
    sample. Two NIfTI volumes must lie on one grid; a mask stored along other directions is turned
    to its image's. A picture that says how its camera was held (EXIF, or the same tag of a tif) is
    turned upright with its mask if both say so. If one of them alone does, the shapes decide; where
    they fit both ways, the pair is refused. No file may be larger than
    `toposeg_lite.data.files.max_pixels` allows.

    Everything is read and checked before anything is returned, and one error lists every fault:
    images without masks and masks without images (and which names almost match), files that cannot
    be read, shapes that differ, masks with more than two values, images whose number of axes or
    channels differs from the rest.

    Parameters
    ----------
    images, masks : path
        Two folders, or one and the same if `mask_suffix` is given. Subfolders, files whose names
        begin with a dot, and what Windows and macOS leave behind (``Thumbs.db``, ``desktop.ini``,
        ``__MACOSX``) are passed over; any other file must be of a kind named above. Names are
        compared in one Unicode form (NFC).
    mask_suffix : str
        What the name of a mask has more than that of its image, before the ending: with ``_mask``
        ``cell7.tif`` goes with ``cell7_mask.png``.
    foreground : {"nonzero", "zero"}
        Which of a mask's two values is the structure. Masks hold 0 and at most one other value,
        whatever it is (1, 254, 255); one in grey saved as colour is accepted.
    ignore : int, optional
        The value of pixels that have no label, for example 255: a third value that masks may then
        hold. Samples keep where it stands (`Sample.ignored`). None means that there is none.
    scale : {"type", "image"}
        How values become likelihoods in [0, 1]. "type": unsigned integers are divided by the
        largest value of their type, floats must lie in [0, 1] already, other types are refused.
        "image": each image is stretched from its lowest to its highest finite value, as computed
        tomography and other units need it; a constant image becomes 0.
    variable, mask_variable : str, optional
        The variable of mat files. None means the only array of numbers in each.
    split : three numbers, or mapping of "train", "validation", "test" to lists of names
        Either the shares of the three splits, which add up to 1, drawn by `seed`; every share
        above 0 gets at least one image. Or the names, without endings, that go into each split;
        names that are in none are checked and left out.
    group : callable, optional
        From the name of an image to what must not be split, such as the patient or the slide:
        ``lambda name: name[:2]``. Shares then count groups. Images of one person, or neighbouring
        slices, in two splits make every result too good. Lists of names are checked for it.
    seed : int
        Which images go into which split; same names, same seed, same splits.
    labels : {"foreground", "background"}
        What adjusted Rand index and variation of information label; "background" suits walls
        around cells.
    patch : int, optional
        Side of the patches over which the Betti error is averaged. None means 64 in 2D, 32 in 3D.
    name : str
        How the data set is called in results.

    Returns
    -------
    Dataset
        All images are held in memory, four bytes a value. Samples are named by their files,
        sorted within each split.

    Raises
    ------
    ValueError
        With every fault of the files in one message.
    FileNotFoundError
        If a folder does not exist.
    ModuleNotFoundError
        If there are NIfTI files and nibabel is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     for k in range(5):
    ...         square = np.zeros((8, 8))
    ...         square[k:, 2:6] = 1
    ...         np.save(Path(place, f"cell{k}.npy"), square * 0.9)
    ...         np.save(Path(place, f"cell{k}_mask.npy"), square)
    ...     cells = folder(place, place, mask_suffix="_mask")
    >>> len(cells.train), len(cells.validation), len(cells.test), cells.train[0].image.shape
    (3, 1, 1, (1, 8, 8))
    """
    check_choice(foreground, ("nonzero", "zero"), "foreground")
    check_choice(scale, ("type", "image"), "scale")
    check_choice(labels, ("foreground", "background"), "labels")
    for value, label in ((mask_suffix, "mask_suffix"), (name, "name")):
        if not isinstance(value, str):
            raise TypeError(f"{label} must be a string; got {value!r}")
    if variable is not None:
        check_text(variable, "variable")
    if mask_variable is not None:
        check_text(mask_variable, "mask_variable")
    if group is not None and not callable(group):
        raise TypeError(f"group must be a function of a name, or None; got {group!r}")
    mask_suffix = one_form(mask_suffix)
    seed = check_integer(seed, "seed")
    if patch is not None:
        patch = check_integer(patch, "patch", 1)
    if ignore is not None:
        ignore = check_integer(ignore, "ignore", -(2**63))
        if ignore == 0:
            raise ValueError("ignore must not be 0, which is one of a mask's two values")
    shares, lists = _check_split(split)

    problems: list[str] = []
    image_files, mask_files = _list_files(images, masks, mask_suffix, problems)
    samples = {}
    for key in sorted(image_files.keys() & mask_files.keys()):
        image = _read(image_files[key], problems, variable=variable)
        mask = _read(mask_files[key], problems, variable=mask_variable, indices=True, ignore=ignore)
        if image is None or mask is None:
            continue
        sample = _pair(key, image, mask, foreground, ignore, scale, problems)
        if sample is not None:
            samples[key] = sample
    _compare(samples, problems)
    if ignore is not None:
        _check_ignored(samples, foreground, ignore, problems)
    if not image_files.keys() & mask_files.keys() and not problems:
        problems.append(f"no image in {images}; the known kinds are {', '.join(KINDS)}")
    _check_lists(lists, set(image_files) & set(mask_files), group, problems)
    if problems:
        raise ValueError(listed(problems, "with the images and masks"))
    names = lists or _draw(list(samples), shares, group, seed)
    parts = {part: tuple(samples[key] for key in sorted(names[part])) for part in SPLITS}
    ndim = next(iter(samples.values())).mask.ndim
    return Dataset(
        name,
        **parts,
        labels=labels,
        reference="own",
        patch=patch or (64 if ndim == 2 else 32),
        terms="your own images",
    )


def _check_split(split: Any) -> tuple[Sequence[float], dict[str, list[str]]]:
    """Return three shares that add up to 1, or lists of names by split; refuse all else."""
    if isinstance(split, Mapping):
        unknown = [key for key in split if key not in SPLITS]
        if unknown:
            raise ValueError(f"split must have the keys {', '.join(SPLITS)}; got {unknown[0]!r}")
        for key, names in split.items():
            whole = not isinstance(names, str) and isinstance(names, Iterable)
            if not whole or not all(isinstance(name, str) for name in names):
                raise TypeError(f"split[{key!r}] must be a list of names; got {names!r}")
        return (), {part: [one_form(name) for name in split.get(part, ())] for part in SPLITS}
    if isinstance(split, str) or not isinstance(split, Sequence):
        raise TypeError(f"split must be three shares, or lists of names by split; got {split!r}")
    if not all(isinstance(part, int | float) and not isinstance(part, bool) for part in split):
        raise TypeError(f"split must hold numbers; got {split!r}")
    if len(split) != 3 or not all(part >= 0 for part in split) or not math.isclose(sum(split), 1):
        raise ValueError(f"split must be three shares from 0 to 1 that add up to 1; got {split!r}")
    return split, {}


def _list_files(
    images: str | PathLike[str], masks: str | PathLike[str], suffix: str, problems: list[str]
) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the files of images and of masks by name, and note those without a partner."""
    places = []
    for place, label in ((images, "images"), (masks, "masks")):
        if not isinstance(place, str | PathLike):
            raise TypeError(f"{label} must be the path of a folder; got {place!r}")
        path = Path(place).expanduser()
        if not path.is_dir():
            raise FileNotFoundError(f"{label} must be an existing folder; got {path}")
        places.append(path)
    together = places[0].samefile(places[1])
    if together and not suffix:
        raise ValueError("images and masks in one folder need mask_suffix to tell them apart")

    named: tuple[dict[str, Path], dict[str, Path]] = ({}, {})
    for path in usable_files(places, problems):
        key = one_form(stem(path))
        if together:
            is_mask = key.endswith(suffix)
        else:
            is_mask = path.parent.samefile(places[1])
            if is_mask and not key.endswith(suffix):
                problems.append(f"{path}: a mask's name must end in {suffix!r}")
                continue
        if is_mask:
            key = key[: len(key) - len(suffix)]
        known = named[is_mask].setdefault(key, path)
        if known is not path:
            problems.append(f"{path}: has the same name as {known.name}")
    alone = [sorted(named[k].keys() - named[1 - k].keys()) for k in (0, 1)]
    lonely = [{key: named[k][key].name for key in alone[k]} for k in (0, 1)]
    for count, key in enumerate(alone[0]):
        almost = almost_same(key, lonely[1]) if count < LISTED else ""
        problems.append(f"{named[0][key]}: no mask {key}{suffix}.* in {places[1]}{almost}")
    for count, key in enumerate(alone[1]):
        almost = almost_same(key, lonely[0]) if count < LISTED else ""
        problems.append(f"{named[1][key]}: no image {key}.* in {places[0]}{almost}")
    return named


def listed(problems: Sequence[str], of: str) -> str:
    """Return a message that counts problems and lists the first of them."""
    many = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"{many} {of}:", *(f"- {problem}" for problem in problems[:LISTED])]
    lines += [f"and {len(problems) - LISTED} more"] if len(problems) > LISTED else []
    return "\n".join(lines)


def usable_files(places: Iterable[Path], problems: list[str]) -> Iterator[Path]:
    """Yield the files of some folders whose kind is known, sorted, and note all others.

    Passed over are subfolders, names that begin with a dot, and what systems leave behind.
    """
    for path in sorted({file for place in places for file in place.iterdir()}):
        if path.is_symlink() and not path.exists():
            problems.append(f"{path}: points to a file that is not there")
        elif path.name.startswith(".") or path.name.lower() in _LEFTOVERS or not path.is_file():
            continue
        elif ending(path).lower() not in KINDS:
            problems.append(f"{path}: not of a known kind ({', '.join(KINDS)})")
        else:
            yield path


# What Windows and macOS leave in folders, in small letters.
_LEFTOVERS = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r"}


def one_form(name: str) -> str:
    """Return a name in the one form of Unicode that all names are compared in."""
    return unicodedata.normalize("NFC", name)


def almost_same(key: str, candidates: dict[str, str]) -> str:
    """Return a remark on the files whose names are almost `key`, from names to files."""

    def core(name: str) -> str:
        return "".join(letter for letter in name.casefold() if letter.isalnum())

    wanted = core(key)
    close = [name for name in candidates if core(name) == wanted]
    if not close:
        close = [n for n in candidates if wanted and n.casefold().startswith(key.casefold())]
    if not close and len(candidates) <= _MANY:  # comparing all with all takes long
        close = difflib.get_close_matches(key, candidates, n=3, cutoff=0.75)
    if not close:
        return ""
    names = ", ".join(repr(candidates[name]) for name in close[:3])
    suffix = close[0][len(key) :] if close[0].startswith(key) else ""
    hint = f" (mask_suffix={suffix!r}?)" if suffix else ""
    return f"; almost the same: {names}{hint}"


_MANY = 200


def _read(path: Path, problems: list[str], **options: Any) -> FileContent | None:
    """Return what a file holds, or None and a note if it cannot be read."""
    try:
        content = read_file(path, **options)
    except (UnreadableFile, OSError) as error:
        text = str(error) if isinstance(error, UnreadableFile) else f"{path}: {error}"
        problems.append(text)
        return None
    array = content.array
    if array.size == 0 or array.dtype.kind not in "biuf":
        problems.append(f"{path}: holds no real numbers (shape {array.shape}, {array.dtype})")
        return None
    return content


def _pair(
    key: str,
    image_file: FileContent,
    mask_file: FileContent,
    foreground: str,
    ignore: int | None,
    scale: str,
    problems: list[str],
) -> Sample | None:
    """Return a sample, or None and a note of what is wrong with the image or its mask."""
    before, spacing = len(problems), image_file.spacing
    try:
        image_file, mask_file = stand_upright(image_file, lay_on(mask_file, image_file))
    except ValueError as error:
        problems.append(f"{key}: {error}")
        return None
    image = image_file.array
    mask, structure, ignored = structure_of(key, mask_file.array, foreground, ignore, problems)
    if mask.ndim not in (2, 3):
        problems.append(f"{key}: the mask must have 2 or 3 axes; its shape is {mask.shape}")
    elif not _agree(image, mask):
        problems.append(
            f"{key}: the image has shape {image.shape}, the mask {mask.shape}; they must agree, "
            f"but for one more axis of the image for its channels"
        )
    elif image.shape[: mask.ndim] == mask.shape:
        image = channels_first(image, mask.ndim)
    try:
        likelihood = to_likelihood(image) if scale == "type" else _stretch(image)
    except ValueError as error:
        problems.append(f"{key}: the image {error}")
    if len(problems) > before:
        return None
    notes = [f"image: {note}" for note in image_file.notes]
    notes += [f"mask: {note}" for note in mask_file.notes]
    spacing = spacing if structure.ndim == 3 else None
    return Sample(key, likelihood, structure, ignored, tuple(notes), spacing)


def structure_of(
    key: str, mask: np.ndarray, foreground: str, ignore: int | None, problems: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the labels of a mask, where its structure is and where it has no label.

    Grey that was saved as colour loses its colours. Labels with more than two values, of the pixels
    that have one, are noted.
    """
    if mask.ndim > 2 and mask.shape[-1] == 3 and (mask == mask[..., :1]).all():
        mask = mask[..., 0]
    ignored = None if ignore is None else mask == ignore
    _check_values(key, mask if ignored is None else mask[~ignored], ignore, problems)
    structure = (mask != 0) if foreground == "nonzero" else (mask == 0)
    return mask, structure if ignored is None else structure & ~ignored, ignored


def _check_values(key: str, mask: np.ndarray, ignore: int | None, problems: list[str]) -> None:
    """Note a mask whose labelled pixels hold other values than 0 and one more."""
    values = np.unique(mask)
    if values.size <= 2 and (values.size < 2 or values[0] == 0) and not np.isnan(values).any():
        return
    shown = ", ".join(str(value) for value in values[:4]) + ", ..." * (values.size > 4)
    problem = f"{key}: the mask must hold 0 and at most one other value; it holds {shown}"
    if values.size > 4:
        problem += " (jpg changes values: keep masks as png)"
    elif values.size == 3 and values[0] == 0 and values[2] == 255 and ignore is None:
        problem += " (if 255 marks pixels without a label, say ignore=255)"
    problems.append(problem)


def _check_ignored(
    samples: dict[str, Sample], foreground: str, ignore: int, problems: list[str]
) -> None:
    """Note that `ignore` leaves no structure in any mask: it is the structure's own value then."""
    if not any(s.ignored.any() for s in samples.values() if s.ignored is not None):
        return
    if foreground == "nonzero":
        empty = not any(s.mask.any() for s in samples.values())
    else:
        empty = all((s.mask | s.ignored).all() for s in samples.values())
    if empty:
        problems.append(
            f"ignore: no mask holds any value but 0 and {ignore}; if {ignore} is the structure, "
            f"leave ignore out"
        )


def stand_upright(image: FileContent, mask: FileContent) -> tuple[FileContent, FileContent]:
    """Turn an image and its mask as they ask, so that the same pixels lie on each other.

    If both ask, or neither does, both are done as they say. If one alone asks, its partner was
    drawn on the stored pixels or on those that a viewer shows; the shapes say which, or nothing.
    """
    if (image.orientation == 1) == (mask.orientation == 1):
        return upright(image), upright(mask)
    turned = upright(image), upright(mask)
    which = "image" if image.orientation != 1 else "mask"
    fits = [_agree(i.array, m.array) for i, m in ((image, mask), turned)]
    if fits == [False, True]:
        return turned
    if fits == [True, False]:
        note = "left as stored, since the other file has that shape, though it asks to be turned"
        asking = image if which == "image" else mask
        asking = replace(asking, notes=(*asking.notes, note))
        return (asking, mask) if which == "image" else (image, asking)
    if fits == [False, False]:
        return turned  # their shapes differ, which is said elsewhere
    other = "mask" if which == "image" else "image"
    number = image.orientation if which == "image" else mask.orientation
    raise ValueError(
        f"the {which} asks to be {TURNS[number]} when it is shown (orientation {number}), the "
        f"{other} does not, and their shapes fit either way; save the {which} upright and without "
        f"that tag (PIL.ImageOps.exif_transpose), and look whether the {other} lies on it"
    )


def _agree(image: np.ndarray, mask: np.ndarray) -> bool:
    """Return whether an image has the mask's shape, but for one more axis for its channels."""
    if image.ndim not in (mask.ndim, mask.ndim + 1):
        return False
    return image.shape[: mask.ndim] == mask.shape or image.shape[1:] == mask.shape


def _stretch(image: np.ndarray) -> np.ndarray:
    """Stretch an image from its lowest to its highest value to [0, 1]."""
    values = image.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("holds values that are NaN or infinite")
    low, high = values.min() / 2, values.max() / 2  # halves, so that no difference is infinite
    return ((values / 2 - low) / ((high - low) or 1)).astype(np.float32)


def _compare(samples: dict[str, Sample], problems: list[str]) -> None:
    """Note the images whose numbers of axes and of channels are not those of most."""
    kinds = {key: (s.mask.ndim, s.image.shape[0]) for key, s in samples.items()}
    if not kinds:
        return
    ndim, channels = Counter(kinds.values()).most_common(1)[0][0]
    for key, (axes, colours) in kinds.items():
        if (axes, colours) != (ndim, channels):
            problems.append(
                f"{key}: has {axes} axes and {colours} channels, most images have {ndim} axes "
                f"and {channels} channels"
            )


def _check_lists(
    lists: dict[str, list[str]],
    known: set[str],
    group: Callable[[str], Hashable] | None,
    problems: list[str],
) -> None:
    """Note names of the given splits that are unknown or repeated, and groups that are torn."""
    if not lists:
        return
    parts: dict[Hashable, set[str]] = {}
    for name, times in Counter(name for part in SPLITS for name in lists[part]).items():
        if name not in known:
            problems.append(f"split: there is no pair named {name!r}")
        if times > 1:
            problems.append(f"split: {name!r} is listed {times} times")
        if group:
            where = {part for part in SPLITS if name in lists[part]}
            parts[group(name)] = parts.get(group(name), set()) | where
    for key, where in parts.items():
        if len(where) > 1:
            problems.append(f"split: the group {key!r} is in {' and '.join(sorted(where))}")
    if not any(lists.values()):
        problems.append("split: names no image")


def _draw(
    names: list[str],
    shares: Sequence[float],
    group: Callable[[str], Hashable] | None,
    seed: int,
) -> dict[str, list[str]]:
    """Deal the groups of names out to the splits in a drawn order."""
    groups: dict[Hashable, list[str]] = {}
    for name in names:
        groups.setdefault(group(name) if group else name, []).append(name)
    counts = _count(len(groups), shares)
    order = np.random.default_rng(seed).permutation(len(groups))
    members = list(groups.values())
    drawn = {}
    for part, count in zip(SPLITS, counts, strict=True):
        chosen, order = order[:count], order[count:]
        drawn[part] = [name for k in chosen for name in members[k]]
    return drawn


def _count(total: int, shares: Sequence[float]) -> list[int]:
    """Round shares of a total to whole numbers that add up to it, none of them 0 needlessly."""
    wanted = [share > 0 for share in shares]
    if total < sum(wanted):
        raise ValueError(
            f"split wants {sum(wanted)} splits, but there are {total} images or groups"
        )
    counts = [int(share * total + 1e-9) for share in shares]
    rest = [share * total - count for share, count in zip(shares, counts, strict=True)]
    for k in sorted(range(3), key=lambda k: -rest[k])[: total - sum(counts)]:
        counts[k] += 1
    for k in range(3):
        if wanted[k] and counts[k] == 0:
            counts[counts.index(max(counts))] -= 1
            counts[k] = 1
    return counts
