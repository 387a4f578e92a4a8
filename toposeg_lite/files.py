"""Files that are written whole or not at all, by one process at a time."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .checks import check_path

__all__ = [
    "atomic_file",
    "check_room",
    "free_room",
    "make_folder",
    "one_writer",
    "reading",
    "remove_abandoned",
    "size_text",
    "try_lock",
    "unlock",
    "write_atomically",
]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DAY = 86400  # seconds


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, and all above it, unless it is there; return it if files can be made in it.

    For the door of whatever works for long before it writes: where the results cannot be kept,
    nothing should begin.

    Raises
    ------
    OSError
        If there is a file in its place, or nothing can be written there.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as place:
    ...     make_folder(Path(place) / "runs" / "first").is_dir()
    True
    """
    folder = check_path(path, "path")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Permissions, read-only disks, links: only a try tells.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        text = f"no file can be written in the folder {folder}: {error.strerror or error}"
        # With the same number it is of the same kind, for whoever handles a full or read-only disk.
        raise OSError(error.errno, f"{text}. Choose another place") from error
    return folder


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all; see `atomic_file`, which does the work.

    Parameters
    ----------
    path : path
        The file. Its folder must exist.
    content : bytes
        All of it.

    Raises
    ------
    OSError
        If the disk is full or not writable; the message names the file, how much room it needs and
        how much is free. `path` is then unchanged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "note.txt", b"whole")
    ...     print([(file.name, file.read_text()) for file in Path(folder).iterdir()])
    [('note.txt', 'whole')]
    """
    path = check_path(path, "path")
    if not isinstance(content, bytes):
        raise TypeError(f"content must be bytes; got {type(content).__name__}")
    try:
        with atomic_file(path) as file:
            file.write(content)
    except OSError as error:
        if error.errno is None:
            raise
        text = f"{error.strerror}: {path} cannot be written"
        if error.errno in _FULL:
            text += f"; it needs {size_text(len(content))}"
            free = free_room(path.parent)
            text += "" if free is None else f" and {size_text(free)} are free"
        kept = "what it held before is kept" if os.path.exists(path) else "nothing was written"
        raise OSError(error.errno, f"{text}. {kept.capitalize()}") from error


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the place of `path` at the end, whole or not at all.

    The bytes go into ``<name>.<8 digits>.partial`` in the same folder, a name that no other writer
    has, are flushed to the disk, and take the place of `path` by one renaming. Whatever happens
    before that, an error, a full disk or a kill, leaves the previous file as it was. What killed
    writers of this file have left is removed first.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "note.txt"
    ...     with atomic_file(path) as file:
    ...         half = file.write(b"half")
    ...         print(path.exists())
    ...     print(path.read_text())
    False
    half
    """
    path = check_path(path, "path")
    remove_abandoned(path)
    partial, file = _open_partial(path)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if sys.platform != "win32":  # while it is locked: nobody takes it for abandoned
                os.replace(partial, path)
        if sys.platform == "win32":  # which renames no open file
            os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def remove_abandoned(path: str | os.PathLike[str]) -> None:
    """Remove what killed writers of a file have left beside it, and nothing of living ones.

    A writer locks its file; the lock ends with its process, however that ends. What cannot be
    removed stays.
    """
    path = check_path(path, "path")
    ours = re.compile(re.escape(_short(path)) + r"\.[0-9a-f]{8}\.partial")
    try:
        names = os.listdir(path.parent)
    except OSError:  # whoever reads or writes there will say so
        return
    for name in filter(ours.fullmatch, names):
        with suppress(OSError):
            _remove_if_abandoned(path.with_name(name))


def _short(path: Path) -> str:
    """Return as much of a name as leaves room for an ending in the 255 bytes of a file's name."""
    return path.name[:50]


def _open_partial(path: Path) -> tuple[Path, BinaryIO]:
    """Make a new partial file and lock it."""
    while True:
        partial = path.with_name(f"{_short(path)}.{os.urandom(4).hex()}.partial")
        try:
            file = open(partial, "xb")  # noqa: SIM115
        except FileExistsError:
            continue
        locked = True
        with suppress(OSError):  # some network drives have no locks: there nothing is abandoned
            locked = try_lock(file.fileno())
        if locked and (sys.platform == "win32" or os.fstat(file.fileno()).st_nlink):
            return partial, file
        file.close()  # somebody took it for abandoned before it was locked


def _remove_if_abandoned(partial: Path) -> None:
    """Remove a partial file unless its writer lives."""
    if sys.platform == "win32":  # where a file that is open cannot be removed anyway
        if time.time() - partial.stat().st_mtime > _DAY:
            partial.unlink()
        return
    file = os.open(partial, os.O_RDWR)
    try:
        if try_lock(file):
            partial.unlink()
    finally:
        os.close(file)


@contextmanager
def reading(path: str | os.PathLike[str], kind: str) -> Iterator[None]:
    """Turn whatever a damaged file leads to while it is read into a ValueError that names it.

    A file that was cut, changed or made to do harm has keys that are missing, texts where numbers
    should be, nests too deep; no reader can foresee them all. What the system says of files that
    are missing or may not be read stays as it is.

    Examples
    --------
    >>> with reading("notes.json", "list of notes"):
    ...     {}["notes"]
    Traceback (most recent call last):
        ...
    ValueError: notes.json is no list of notes that can be read: KeyError: 'notes'
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError) as e:
        reason = str(e) if isinstance(e, ValueError) else f"{type(e).__name__}: {e}"
        raise ValueError(f"{path} is no {kind} that can be read: {reason}") from e


# --- Room --------------------------------------------------------------------------------------


def size_text(size: int) -> str:
    """Return a number of bytes in words.

    Examples
    --------
    >>> size_text(950), size_text(2_345_678)
    ('950 bytes', '2.3 MB')
    """
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size:,} bytes"


def free_room(folder: str | os.PathLike[str]) -> int | None:
    """Return how many bytes are free for us on the disk of a folder; None if nobody can tell."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.free if usage.total else None  # some drives of the cloud say 0 of 0


def check_room(folder: str | os.PathLike[str], needed: int, purpose: str) -> None:
    """Raise an OSError unless a folder's disk has room for so many bytes, which it names.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     check_room(folder, 1000, "the notes")
    """
    free = free_room(folder)
    if free is not None and free < needed:
        raise OSError(
            errno.ENOSPC,
            f"{os.strerror(errno.ENOSPC)}: {purpose} need {size_text(needed)} in {folder}, where "
            f"{size_text(free)} are free. Nothing was begun: make room, or choose another place",
        )


# --- Locks -------------------------------------------------------------------------------------


@contextmanager
def one_writer(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let one process at a time work on a file; another one waits here until that has ended.

    It warns once when it waits. The lock is that of ``<path>.lock``, a file that is removed in the
    end; what a killed process leaves of it keeps nobody waiting. Where no lock can be had, in a
    folder that cannot be written, there is nothing to wait for.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with one_writer(Path(folder) / "net"):
    ...         print(os.listdir(folder))
    ...     print(os.listdir(folder))
    ['net.lock']
    []
    """
    path = check_path(path, "path")
    place = path.with_name(f"{path.name}.lock")
    file = _take_lock(place, f"{path} is being made by another process: waiting until it ends")
    try:
        yield
    finally:
        if file is not None:
            with suppress(OSError):  # before anybody else can have it
                place.unlink()
            unlock(file)
            os.close(file)


def _take_lock(place: Path, waiting: str) -> int | None:
    """Return a locked file at a place, made if need be; None where there are no locks."""
    told = False
    while True:
        file = None
        try:
            file = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
            if try_lock(file):
                if sys.platform == "win32" or os.fstat(file).st_nlink:
                    return file
                os.close(file)  # its last owner has removed it
                continue
        except OSError:
            if file is not None:
                os.close(file)
            return None
        os.close(file)
        if not told:
            warnings.warn(waiting, stacklevel=4)
            told = True
        time.sleep(0.1)


if sys.platform == "win32":
    import msvcrt

    # Windows keeps others from reading a locked byte, so we lock one that is not there.
    _FAR = 2**30

    def try_lock(file: int) -> bool:
        """Lock an open file for its process; return False if another one has it."""
        place = os.lseek(file, 0, os.SEEK_CUR)
        os.lseek(file, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file, place, os.SEEK_SET)
        return True

    def unlock(file: int) -> None:
        """Give a locked file free."""
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(file: int) -> bool:
        """Lock an open file, by its descriptor; return False if somebody else has it locked.

        The operating system's own lock ends with the process that holds it, however that ends.
        """
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(file: int) -> None:
        """Give a locked file free, also where a forked child still holds it open."""
        fcntl.flock(file, fcntl.LOCK_UN)
