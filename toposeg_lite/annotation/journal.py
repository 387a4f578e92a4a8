"""A journal: a file to which every action of an annotator is appended, one line of JSON each.

The file is only ever appended to, and every line is flushed to the disk before the action counts.
So a kill or a crash at any moment loses at most the action in flight, and leaves at most one torn
line behind. Each line ends with a checksum of itself; a line that was cut short or changed is known
as such, is reported, and stays in the file as it is::

    {"journal": "toposeg_lite annotation", "version": 2, ..., "check": "5d0cbd0a"}
    {"do": "accept", "branches": [12], ..., "n": 1, "check": "0a3e44bd"}
    {"do": "undo", "of": 1, "n": 2, "check": "c07be2d7"}

The open file is locked with the operating system's own lock, which ends with the process that
holds it, however that process ends (`try_lock` in `toposeg_lite.files`).

A journal that cannot be written, as the disk is full or the file may only be read, can be opened
all the same, to look at the work and to write its result elsewhere: reading needs no room. Why it
cannot be written stands in `Journal.obstacle`, and every action is refused with that sentence.
Where room is made meanwhile, the next action finds it.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..files import free_room, size_text, try_lock, unlock

__all__ = ["VERSION", "Journal", "Problem"]

_MAGIC = b'{"journal": "toposeg_lite annotation"'
#: Of new journals; see `edges` for what those of version 1 number.
VERSION = 2


class Problem(NamedTuple):
    """A line of a journal that could not be used: its number in the file, from 1, and why."""

    line: int
    reason: str
    text: str  # what it holds


class Journal:
    """An append-only file of actions that belongs to one process at a time.

    Opening it makes it if there is none, locks it and reads what can be read. Nothing is written
    before the first `append`, and what stands in the file is never changed. A journal that was made
    here and holds nothing when it is closed is removed.

    Attributes
    ----------
    header : dict or None
        The first header that can be read.
    records : list of (int, dict)
        The lines that can be read, other than headers, with their numbers in the file.
    problems : list of Problem
        The lines that cannot.
    obstacle : str
        Why it cannot be written, in words; empty if nothing is known to be in the way. One that
        may only be read is not locked: it shows the work while others go on with it.

    Raises
    ------
    BlockingIOError, FileNotFoundError, OSError, ValueError
        See `AnnotationSession`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     journal = Journal(Path(folder) / "eye.jsonl")
    ...     journal.append({"do": "accept", "branches": [3]})
    ...     journal.close()
    ...     again = Journal(Path(folder) / "eye.jsonl")
    ...     [(number, record["do"]) for number, record in again.records]
    ...     again.close()
    [(1, 'accept')]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path must be the name of a file; got {path!r}")
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"the folder of the journal {self.path} does not exist")
        if self.path.is_dir():
            raise ValueError(f"path must be a file for the journal; {self.path} is a folder")
        self.obstacle: str = ""
        self.is_new = not self.path.exists()
        self._writable = True
        self._file = self._take()
        self.closed = False
        self._torn = False
        try:
            if self.is_new:
                self._flush_folder()
            content = _read(self._file)
            self.header, self.records, self.problems = _parse(content, self.path)
        except BaseException:
            self.close()
            raise
        # After a torn line the next one must begin on a line of its own.
        self._torn = bool(content) and not content.endswith(b"\n")

    def _take(self) -> int:
        """Open the file and lock it; one that may only be read is opened to be read."""
        binary = getattr(os, "O_BINARY", 0)
        while True:
            try:
                file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | binary, 0o666)
            except OSError as error:
                if self.is_new:
                    raise self._explained(error) from error
                file = os.open(self.path, os.O_RDONLY | binary)
                self.obstacle, self._writable = str(self._explained(error).strerror), False
                return file
            try:
                if not try_lock(file):
                    raise BlockingIOError(_who_has(self.path))
                if sys.platform == "win32" or os.fstat(file).st_nlink:
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)  # whoever made it has closed it without a line, and removed it

    def _flush_folder(self) -> None:
        """Flush the entry of a new file to the disk; Windows does so by itself."""
        if sys.platform == "win32":
            return
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        except OSError as error:
            raise self._explained(error) from error
        finally:
            os.close(folder)

    def _explained(self, error: OSError) -> OSError:
        """Return an error of writing in words: which file, what is free, and what is kept."""
        reason = error.strerror or str(error)
        text = f"{reason}: the journal {self.path} cannot be written"
        free = free_room(self.path.parent)
        if error.errno == errno.ENOSPC and free is not None:
            text += f", {size_text(free)} are free"
        text += ". Nothing was begun" if self.is_new else ". All that it holds is kept"
        return OSError(error.errno, text)

    def append(self, record: dict[str, Any]) -> None:
        """Write one line and flush it to the disk; return when it is there.

        If the disk is full or gone (OSError), the record does not count.
        """
        if self.closed:
            raise ValueError(f"the journal {self.path} is closed; open it again")
        if not self._writable:
            raise PermissionError(errno.EACCES, self.obstacle)
        line = _encode(record)
        size, was_torn = os.fstat(self._file).st_size, self._torn
        try:
            rest = b"\n" + line if was_torn else line
            self._torn = True
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
            self._torn, self.is_new, self.obstacle = False, False, ""
        except OSError as error:
            with suppress(OSError):  # take back our own half of a line
                os.ftruncate(self._file, size)
                self._torn = was_torn
            explained = self._explained(error)
            self.obstacle = str(explained.strerror)
            raise explained from error

    def start(self, header: dict[str, Any]) -> None:
        """Write the header, with who opened it and when, as the first line that counts."""
        magic = {"journal": "toposeg_lite annotation", "version": VERSION}
        self.append(magic | header)
        self.header = magic | header

    def greet(self, problems: list[int]) -> None:
        """Note who has the journal open, and of which bad lines that person was told.

        The first is for the message that a second session gets, the other so that nobody is told
        twice.
        """
        who = {"process": os.getpid(), "host": socket.gethostname()}
        self.append({"do": "open"} | who | {"problems": problems})

    def close(self) -> None:
        """Unlock and close the file; a second call does nothing."""
        if not self.closed:
            self.closed = True
            with suppress(OSError):  # on Windows an open file stays
                if self.is_new and os.fstat(self._file).st_size == 0:
                    self.path.unlink()
            unlock(self._file)
            os.close(self._file)


# --- Lines ---------------------------------------------------------------------------------------


def _encode(record: dict[str, Any]) -> bytes:
    """Return a record as a line: the checksum stands last and covers all that comes before it."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    text = json.dumps(record | {"time": moment}, allow_nan=False)[:-1]
    return f'{text}, "check": "{zlib.crc32(text.encode()):08x}"}}\n'.encode()


def _decode(line: bytes) -> dict[str, Any]:
    """Return the record of a line; raise ValueError with the reason if it is bad."""
    text, mark, check = line.rstrip().rpartition(b', "check": "')
    if not mark or not check.endswith(b'"}'):
        raise ValueError("it was cut short or is no line of a journal")
    if check[:-2] != f"{zlib.crc32(text):08x}".encode():
        raise ValueError("it was changed: its checksum does not fit")
    record = json.loads(text + b"}")
    if not isinstance(record, dict):
        raise ValueError("it is no record")
    return record


def _parse(
    content: bytes, path: Path
) -> tuple[dict[str, Any] | None, list[tuple[int, dict[str, Any]]], list[Problem]]:
    """Sort the lines of a journal into its header, records and problems."""
    header = None
    records, problems = [], []
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            record = _decode(line)
            if "journal" in record:
                _check_header(record, path)
        except _WrongVersion:
            raise
        except (ValueError, RecursionError) as error:
            problems.append(Problem(number, str(error), line.decode(errors="replace")))
            continue
        if "journal" not in record:
            records.append((number, record))
        elif header is None:
            header = record
    ours = _MAGIC.startswith(content[: len(_MAGIC)])
    if header is None and not records and not ours:
        raise ValueError(
            f"{path} is no journal of an annotation: none of its lines can be read. It was left "
            f"as it is; choose another path"
        )
    return header, records, problems


class _WrongVersion(ValueError):
    """A journal that this version of the library does not know."""


def _check_header(record: dict[str, Any], path: Path) -> None:
    """Raise a ValueError if a header lacks what sessions ask of it."""
    if record.get("version") not in (1, VERSION):
        raise _WrongVersion(
            f"{path} is a journal of version {record.get('version')}; this version of "
            f"toposeg_lite reads versions 1 and {VERSION}. Nothing was changed"
        )
    for name in ("image", "likelihood"):
        facts = record.get(name)
        if not (
            isinstance(facts, dict)
            and isinstance(facts.get("sha256"), str)
            and isinstance(facts.get("shape"), list)
        ):
            raise ValueError(f"it is a header without a fingerprint of the {name}")
    if not isinstance(record.get("settings"), dict):
        raise ValueError("it is a header without settings")


def _read(file: int) -> bytes:
    """Return the whole content of an open file."""
    parts = []
    os.lseek(file, 0, os.SEEK_SET)
    while part := os.read(file, 1 << 20):
        parts.append(part)
    return b"".join(parts)


# --- Other processes ------------------------------------------------------------------------------


def _who_has(path: Path) -> str:
    """Say who holds a journal, as its last "open" line tells."""
    who = "another session"
    try:
        _, records, _ = _parse(path.read_bytes(), path)
    except (OSError, ValueError):
        records = []
    for _, record in reversed(records):
        if record.get("do") == "open":
            process, host = record.get("process"), record.get("host")
            is_here = (process, host) == (os.getpid(), socket.gethostname())
            place = "this one" if is_here else f"{process} on {host}"
            who = f"another session (process: {place}; since {record.get('time')})"
            break
    return (
        f"{path} is open in {who}. Two sessions would mix their actions: close that one first "
        f"(session.close(), or end its process), or choose another path"
    )
