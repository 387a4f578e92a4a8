"""Bad input that `data` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toposeg_lite.data import folder, load_dataset, synthetic
from toposeg_lite.data.reading import read_file

CASES = [
    # --- data ---
    ("data name", lambda: load_dataset("retinas"), ValueError, "'retina', 'brick', .*; got 'retin"),
    ("data name None", lambda: load_dataset(None), TypeError, "name must be one of"),
    ("data seed", lambda: load_dataset("cracks", seed=1.5), TypeError, "seed must be an integer"),
    ("data seed True", lambda: load_dataset("brick", seed=True), TypeError, "an integer; got True"),
    (
        "data seed negative",
        lambda: load_dataset("brick", seed=-1),
        ValueError,
        "at least 0; got -1",
    ),
    ("data option", lambda: load_dataset("cracks", gaps=2), TypeError, "no options; got 'gaps'"),
    (
        "data option of another",
        lambda: load_dataset("chase_db1", masks="noisy"),
        TypeError,
        "chase_db1 takes the options observer; got 'masks'",
    ),
    (
        "data root",
        lambda: load_dataset("crackforest", root=3),
        TypeError,
        "root must be a path; got 3",
    ),
    (
        "topomortar labels",
        lambda: load_dataset("topomortar", labels="fine"),
        ValueError,
        "labels must be one of 'accurate', 'noisy', 'pseudo'; got 'fine'",
    ),
    (
        "topomortar training",
        lambda: load_dataset("topomortar", training=11),
        ValueError,
        "training must be 50 or 10; got 11",
    ),
    (
        "topomortar group",
        lambda: load_dataset("topomortar", group="walls"),
        ValueError,
        "group must be one of 'indistr', 'angles', 'colors', 'shadows'; got 'walls'",
    ),
    (
        "epfl_roads takes no options",
        lambda: load_dataset("epfl_roads", labels="noisy"),
        TypeError,
        "epfl_roads takes no options; got 'labels'",
    ),
    ("observer 3", lambda: load_dataset("chase_db1", observer=3), ValueError, "1 to 2; got 3"),
    (
        "observer by name",
        lambda: load_dataset("chase_db1", observer="first"),
        TypeError,
        "observer must be an integer; got 'first'",
    ),
    (
        "strands 4",
        lambda: load_dataset("crackforest", strands=4),
        TypeError,
        "strands must be True or False; got 4",
    ),
    (
        "examples of a kind",
        lambda: load_dataset("betti_matching_examples", kind="mito"),
        ValueError,
        "'cremi', 'roads'; got 'mito'",
    ),
    ("folder, None", lambda: folder(None, "."), TypeError, "images must be the path of a folder"),
    (
        "folder that is not there",
        lambda: folder(".", "no/such"),
        FileNotFoundError,
        "masks must be an existing folder; got no/such",
    ),
    ("folder twice", lambda: folder(".", "."), ValueError, "in one folder need mask_suffix"),
    (
        "folder, suffix",
        lambda: folder(".", ".", mask_suffix=None),
        TypeError,
        "mask_suffix must be a string; got None",
    ),
    ("folder, name", lambda: folder(".", ".", name=3), TypeError, "name must be a string; got 3"),
    (
        "folder, foreground",
        lambda: folder(".", ".", foreground="white"),
        ValueError,
        "foreground must be one of 'nonzero', 'zero'; got 'white'",
    ),
    ("folder, scale", lambda: folder(".", ".", scale=255), TypeError, "'type', 'image'; got 255"),
    ("folder, labels", lambda: folder(".", ".", labels="walls"), ValueError, "got 'walls'"),
    (
        "folder, ignore",
        lambda: folder(".", ".", ignore="void"),
        TypeError,
        "ignore must be an integer; got 'void'",
    ),
    ("folder, ignore 0", lambda: folder(".", ".", ignore=0), ValueError, "ignore must not be 0"),
    (
        "file of another kind",
        lambda: read_file(Path("a.gif")),
        ValueError,
        r"a.gif: not of a known kind \(.png, ",
    ),
    ("file that is not there", lambda: read_file(Path("no.npy")), FileNotFoundError, "no.npy"),
    ("folder, seed", lambda: folder(".", ".", seed=-1), ValueError, "seed must be at least 0"),
    ("folder, patch", lambda: folder(".", ".", patch=0), ValueError, "patch must be at least 1"),
    ("folder, split", lambda: folder(".", ".", split="60 %"), TypeError, "three shares, or lists"),
    ("folder, split 2", lambda: folder(".", ".", split=(0.5, 0.5)), ValueError, "three shares"),
    ("folder, split 2.2", lambda: folder(".", ".", split=(2, 0.1, 0.1)), ValueError, "up to 1"),
    (
        "folder, split below 0",
        lambda: folder(".", ".", split=(1.5, -0.5, 0)),
        ValueError,
        "shares from 0 to 1",
    ),
    (
        "folder, split of names",
        lambda: folder(".", ".", split=("a", "b", "c")),
        TypeError,
        "split must hold numbers",
    ),
    (
        "folder, split key",
        lambda: folder(".", ".", split={"tests": []}),
        ValueError,
        "keys train, validation, test; got 'tests'",
    ),
    (
        "folder, split of one name",
        lambda: folder(".", ".", split={"test": "a"}),
        TypeError,
        r"split\['test'\] must be a list of names; got 'a'",
    ),
    (
        "folder, split of a number",
        lambda: folder(".", ".", split={"test": 3}),
        TypeError,
        r"split\['test'\] must be a list of names; got 3",
    ),
    ("drawing shape", lambda: synthetic.vessels((64, 63), seed=0), ValueError, "at least 64 pix"),
    ("drawing in 3D", lambda: synthetic.roads((96, 96, 96), seed=0), ValueError, "have 2 sides"),
    ("tubes in 2D", lambda: synthetic.tubes((64, 64), seed=0), ValueError, r"3 sides; got \(64"),
    ("drawing side", lambda: synthetic.cracks((64.0, 64), seed=0), TypeError, "hold integers"),
    ("drawing shape 64", lambda: synthetic.cracks(64, seed=0), TypeError, "a tuple of 2 integers"),
    ("drawing seed None", lambda: synthetic.lanes(seed=None), TypeError, "seed .* got None"),
    ("drawing seed -1", lambda: synthetic.lanes(seed=-1), ValueError, "seed must be at least 0"),
    ("noise", lambda: synthetic.tubes(seed=0, noise=1.5), ValueError, r"noise must lie in \[0, 1"),
    ("noise NaN", lambda: synthetic.roads(seed=0, noise=np.nan), ValueError, "got nan"),
    ("noise text", lambda: synthetic.roads(seed=0, noise="low"), TypeError, "noise must be a num"),
    ("gaps", lambda: synthetic.vessels(seed=0, gaps=-1), ValueError, "gaps must be 0 to"),
    ("gaps 1.0", lambda: synthetic.vessels(seed=0, gaps=1.0), TypeError, "gaps must be an integer"),
    ("trees", lambda: synthetic.vessels(seed=0, trees=0), ValueError, "trees must be 1 to"),
    ("cell", lambda: synthetic.membranes(seed=0, cell=5), ValueError, "cell must be 24 to"),
    ("loops", lambda: synthetic.cracks(seed=0, loops=99), ValueError, "loops must be 0 to"),
    ("block", lambda: synthetic.roads(seed=0, block=1), ValueError, "block must be 40 to"),
    ("lines", lambda: synthetic.lanes(seed=0, lines=1), ValueError, "lines must be 2 to"),
    (
        "spacing",
        lambda: synthetic.tubes(seed=0, spacing=2),
        ValueError,
        "spacing must be 12 to 100",
    ),
    (
        "drawing too full",
        lambda: synthetic.cracks((64, 64), seed=0, cracks=4, loops=8),
        ValueError,
        r"no drawing with these numbers fits into shape \(64, 64\)",
    ),
    # --- figures of annotations ---
    (
        "photo, masks",
        lambda: load_dataset("retina", masks="gold"),
        ValueError,
        "masks must be one of",
    ),
]
