"""Rows that are kept as they come in: what a stopped report goes on from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..files import reading, write_atomically
from .pairs import Pair

__all__ = ["KeptRows"]


class KeptRows:
    """The file ``scores.jsonl``: its first line holds the settings, each further one a row.

    Lines are added as they come in. A last line that is cut off, by a kill or a full disk, is no
    row, and is taken away when the next one is added.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        head = _line({"settings": settings})
        if not path.exists():
            write_atomically(path, head)
            return
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        with reading(path, "table of a report"):
            first, *lines = whole.splitlines()
            if (there := json.loads(first)["settings"]) != settings:
                changed = sorted(k for k in settings if there.get(k) != settings[k])
                raise ValueError(
                    f"it was made with other settings ({', '.join(changed)}). Choose another "
                    f"folder for this report, or remove the file"
                )
            for line in lines:
                row = json.loads(line)
                self.rows[row["method"], row["image"]] = row
        if whole != content:
            write_atomically(path, whole)

    def known(self, pair: Pair) -> bool:
        """Tell whether a pair has its row, of the files as they are now."""
        row = self.rows.get((pair.method, pair.name))
        return row is not None and row.get("files") == pair.state()

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Keep some rows, at once."""
        rows = list(rows)
        with self.path.open("ab") as file:
            file.write(b"".join(map(_line, rows)))
            file.flush()
            os.fsync(file.fileno())
        self.rows.update({(row["method"], row["image"]): row for row in rows})


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
