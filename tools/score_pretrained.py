"""Score the trained model that comes with the library again: ``python tools/score_pretrained.py``.

The model stays as it is; its scores in ``structures-chase_db1.json`` are found anew, as
`toposeg_lite.workbook.studies.make_pretrained` finds them, when a rule that masks are made by has
changed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from toposeg_lite.data import Sample, load_dataset, photos
from toposeg_lite.files import write_atomically
from toposeg_lite.structures import load_pretrained
from toposeg_lite.training.records import git_commit, versions
from toposeg_lite.workbook.studies import make_pretrained

FILE = Path(__file__).parents[1] / "toposeg_lite" / "data" / "assets" / "structures-chase_db1.json"


def main() -> None:
    """Write the scores of validation and test images and of the library's own retina."""
    data, photo = load_dataset("chase_db1"), photos.retina()
    retina = Sample("retina", photo.image, photo.mask)
    models: Any = {mode: load_pretrained(mode) for mode in ("branch", "threshold")}
    samples = {
        "validation": data.validation,
        "test": data.test,
        "retina": (retina,),
    }
    about = json.loads(FILE.read_text())
    about["scores"] = {
        name: make_pretrained._scores(models, some) for name, some in samples.items()
    }
    about["scored"] = {"versions": versions(), "git_commit": git_commit()}
    write_atomically(FILE, f"{json.dumps(about, indent=1)}\n".encode())


if __name__ == "__main__":
    main()
