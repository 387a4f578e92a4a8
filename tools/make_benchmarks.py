"""Make `benchmarks.json`: where each file of the benchmarks comes from, and its SHA-256.

Run as ``python tools/make_benchmarks.py FOLDER``, where FOLDER holds one folder a data set, named
as below, with the files of its repository at the commit below. From scratch, for each of them::

    git clone https://github.com/REPO FOLDER/NAME && git -C FOLDER/NAME checkout COMMIT

Files that no loader reads (photographs without masks, programs, read-me files) are left out.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

ASSETS = Path(__file__).parents[1] / "toposeg_lite" / "data" / "assets"

# The test images of TopoMortar by group; only the first are like those it is trained with.
GROUPS = {
    "indistr": range(71, 121),
    "angles": range(121, 171),
    "colors": range(171, 221),
    "shadows": range(321, 371),
}
#: Parts of a data set that are fetched apart lie in its folder.
PLACES = {f"topomortar_{group}": "topomortar" for group in GROUPS if group != "indistr"}

# name: (repository, commit, patterns of the files that are used)
SOURCES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "topomortar": (
        "jmlipman/TopoMortar",
        "f709b3c72f4f24f68239281292f854918707f95f",
        (
            "dataset/train/*/*.png",
            "dataset/val/*/*.png",
            *(f"dataset/test/*/{k:03d}.png" for k in GROUPS["indistr"]),
        ),
    ),
    **{
        f"topomortar_{group}": (
            "jmlipman/TopoMortar",
            "f709b3c72f4f24f68239281292f854918707f95f",
            tuple(f"dataset/test/*/{k:03d}.png" for k in GROUPS[group]),
        )
        for group in ("angles", "colors", "shadows")
    },
    "chase_db1": (
        "mipple1986/data",
        "92b9449a2e7a38dbd4c62825418dafcd5eba4fec",
        ("CHASEDB1/Image_*",),
    ),
    "isbi2012_membranes": (
        "zhixuhao/unet",
        "b45af4d458437d8281cc218a07fd4380818ece4a",
        ("data/membrane/train/image/*.png", "data/membrane/train/label/*.png"),
    ),
    "crackforest": (
        "cuilimeng/CrackForest-dataset",
        "ed57c2d96754e6c7d105805cd29aeeb3a799f267",
        # The photographs 201 to 329 have no mask.
        ("groundTruth/*.mat", "image/0*.jpg", "image/10*.jpg", "image/11*.jpg"),
    ),
    "epfl_roads": (
        "zeineb111/EPFL-Machine-Learning-Road-Segmentation",
        "04dcc7fd9da1e8e753c212c699d4019c1514d6b8",
        ("data/training/images/*.png", "data/training/groundtruth/*.png"),
    ),
    "vesselnn_3d": (
        "petteriTeikari/vesselNN_dataset",
        "0925564766f7fd658a792a8e26ebefa50f8844ac",
        ("denoised/*.tif", "labels/*.tif"),
    ),
    "betti_matching_examples": (
        "nstucki/Betti-matching",
        "3e7eca26ff54fbf77e7caa5be2ac2c24d5ef388c",
        ("data_examples/CREMI/*/*.png", "data_examples/roads/*/*.png"),
    ),
}


def make_registry(folder: Path) -> dict[str, dict]:
    """Hash the files of every data set that lies in a folder."""
    registry: dict[str, dict] = {}
    for name, (repository, commit, patterns) in SOURCES.items():
        place = PLACES.get(name, name)
        paths = sorted(path for pattern in patterns for path in (folder / place).glob(pattern))
        registry[name] = {
            "repository": repository,
            "commit": commit,
            **({"folder": place} if place != name else {}),
            "bytes": sum(path.stat().st_size for path in paths),
            "files": {
                path.relative_to(folder / place).as_posix(): hashlib.sha256(
                    path.read_bytes()
                ).hexdigest()
                for path in paths
            },
        }
    return registry


if __name__ == "__main__":
    text = json.dumps(make_registry(Path(sys.argv[1])), indent=0)
    (ASSETS / "benchmarks.json").write_text(text + "\n", encoding="utf-8")
