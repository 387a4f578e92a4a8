"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["make_folder", "write_atomically"]


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
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Permissions, read-only disks, links: only a try tells.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise type(error)(
            f"no file can be written in the folder {folder}: {error.strerror or error}. "
            f"Choose another place"
        ) from error
    return folder


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all.

    The bytes go into ``<name>.partial`` in the same folder, are flushed to the disk, and take the
    place of `path` by one renaming. Whatever happens before that, a full disk or a kill, leaves
    the previous file as it was.

    Parameters
    ----------
    path : path
        The file. Its folder must exist.
    content : bytes
        All of it.

    Raises
    ------
    OSError
        If the disk is full or not writable. `path` is then unchanged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "note.txt", b"whole")
    ...     print([(file.name, file.read_text()) for file in Path(folder).iterdir()])
    [('note.txt', 'whole')]
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
