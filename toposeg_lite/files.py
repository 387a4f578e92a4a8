"""Files that are written whole or not at all."""

from __future__ import annotations

import os

from .checks import check_path

__all__ = ["write_atomically"]


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
    path = check_path(path, "path")
    if not isinstance(content, bytes):
        raise TypeError(f"content must be bytes; got {type(content).__name__}")
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
