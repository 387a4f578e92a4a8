"""Small values, good and bad, that the tables of bad input share.

A *kind* maps a word for each bad value to the value; `BY_NAME` says which kind a parameter is, by
its name, wherever a call (`doors.Call`) says nothing else.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import torch

IMAGE = np.linspace(0, 1, 12).reshape(3, 4)
NAN = np.where(IMAGE > 0.9, np.nan, IMAGE)
INF = np.where(IMAGE > 0.9, np.inf, IMAGE)
MASK = IMAGE > 0.5
EMPTY = np.zeros((0, 4))
CUBE = np.linspace(0, 1, 24).reshape(2, 3, 4)
LOGITS = torch.linspace(-3, 3, 12).reshape(1, 1, 3, 4)
LABELS = (LOGITS[0] > 0).long()

Kind = dict[str, Any]

#: What is no array of numbers at all.
NO_NUMBERS: Kind = {
    "a text": "photo.png",
    "bytes": b"\x00\x01",
    "complex": IMAGE + 0j,
    "objects": IMAGE.astype(object),
    "texts": IMAGE.astype(str),
    "dates": np.full((3, 4), np.datetime64("2020-01-01")),
    "records": np.zeros((3, 4), [("a", "f8")]),
    "a set": {0, 1},
    "a dict": {"a": 1},
    "a function": len,
}
#: What is no array of the grid.
NO_IMAGE: Kind = NO_NUMBERS | {
    "None": None,
    "a tensor": LOGITS[0, 0],
    "masked": np.ma.masked_less(MASK, 1),
    "ragged": [[0, 1], [1]],
    "a number": 0.5,
    "one axis": MASK[0],
    "four axes": MASK[None, None],
    "no pixel": EMPTY,
    "no column": np.zeros((3, 0)),
}
BAD_LIKELIHOOD: Kind = NO_IMAGE | {
    "NaN": NAN,
    "inf": INF,
    "-inf": -INF,
    "negative": IMAGE - 0.5,
    "logits": 4 * IMAGE,
    "bytes of a picture": (255 * IMAGE).astype(np.uint8),
    "integers": MASK.astype(int),
    "long double": IMAGE.astype(np.longdouble),
    "huge": IMAGE * 1e300,
}
BAD_MASK: Kind = NO_IMAGE | {
    "grey": IMAGE,
    "255": MASK * np.uint8(255),
    "-1": -1 * MASK,
    "NaN": NAN,
    "inf": INF,
}
NO_REAL: Kind = {
    "None": None,
    "a text": "0.5",
    "True": True,
    "numpy's True": np.True_,
    "complex": 0.5 + 0j,
    "a list": [0.5],
    "an array": np.array([0.5, 0.5]),
    "a date": datetime(2020, 1, 1),
}
BAD_NUMBER: Kind = NO_REAL | {
    "NaN": float("nan"),
    "NumPy's NaN": np.float32("nan"),
    "inf": float("inf"),
    "-inf": -float("inf"),
    "negative": -0.1,
    "too large for a float": 10**400,
}
BAD_POSITIVE: Kind = BAD_NUMBER | {"zero": 0}
BAD_FRACTION: Kind = BAD_NUMBER | {"above 1": 1.001, "of 8 bits": 128}
NO_INTEGER: Kind = {
    "None": None,
    "a text": "1",
    "True": True,
    "numpy's True": np.True_,
    "a half": 1.5,
    "a float": 1.0,
    "NaN": float("nan"),
    "a list": [1],
    "an array": np.array([1]),
}
BAD_COUNT: Kind = NO_INTEGER | {"negative": -1}
BAD_SIZE: Kind = BAD_COUNT | {"zero": 0}
BAD_INDEX: Kind = BAD_COUNT | {"beyond the end": 999, "huge": 10**30}
BAD_SEED: Kind = NO_INTEGER | {"negative": -1}
BAD_CONNECTIVITY: Kind = {k: v for k, v in NO_INTEGER.items() if k != "None"} | {
    "0": 0,
    "-1": -1,
    "18 neighbours": 18,
    "huge": 10**30,
}
BAD_DIMENSIONS: Kind = {
    "a number": 1,
    "a text": "01",
    "none": (),
    "beyond": (0, 3),
    "negative": (-1,),
    "halves": (0.5,),
    "texts": ("0",),
    "flags": (True, False),
}
BAD_CHOICE: Kind = {
    "None": None,
    "another": "no such",
    "empty": "",
    "bytes": b"open",
    "a number": 1,
    "a list": ["open"],
}
BAD_FLAG: Kind = {"None": None, "1": 1, "a text": "yes", "empty": "", "an array": np.array([True])}
BAD_TEXT: Kind = {"None": None, "a number": 3, "bytes": b"name", "a list": ["name"]}
BAD_PATH: Kind = {"a number": 3, "bytes": b"name", "a list": ["name"], "True": True}
NO_TENSOR: Kind = {
    "None": None,
    "an array": LOGITS.numpy(),
    "a list": LOGITS.tolist(),
    "a number": 0.5,
    "a text": "logits",
}
BAD_LOGITS: Kind = NO_TENSOR | {
    "integers": LABELS[None],
    "flags": LABELS[None] > 0,
    "complex": LOGITS * 1j,
    "NaN": LOGITS.where(LOGITS < 2, torch.nan),
    "inf": LOGITS.where(LOGITS < 2, torch.inf),
    "-inf": LOGITS.where(LOGITS > -2, -torch.inf),
    "NaN of half precision": LOGITS.where(LOGITS < 2, torch.nan).half(),
    "no batch": LOGITS[0, 0],
    "six axes": LOGITS[None, None],
    "no item": LOGITS[:0],
    "no row": LOGITS[:, :, :0],
    "no channel": LOGITS[:, :0],
    "sparse": LOGITS.to_sparse(),
    "elsewhere": LOGITS.to("meta"),
}
BAD_TARGET: Kind = NO_TENSOR | {
    "transposed": LABELS.mT,
    "of 255": LABELS * 255,
    "of -1": -LABELS,
    "of NaN": LABELS * torch.nan,
    "of grey": LABELS * 0.5,
    "complex": LABELS * 1j,
    "no item": LABELS[:0],
    "another batch": LABELS.expand(2, 3, 4),
    "another size": LABELS[:, 1:],
    "sparse": LABELS.to_sparse(),
    "elsewhere": LABELS.to("meta"),
}
BAD_IMAGES: Kind = {  # of a network in 2D with one channel
    **NO_TENSOR,
    "integers": LABELS[None],
    "complex": LOGITS * 1j,
    "no batch": LOGITS[0],
    "a volume": LOGITS[None],
    "no item": LOGITS[:0],
    "no row": LOGITS[:, :, :0],
}
BAD_NDIM: Kind = NO_INTEGER | {"1": 1, "4": 4, "-2": -2, "2.0": 2.0}
#: No length for each axis, of an image in 2D; None is good.
BAD_SPACING: Kind = {
    "a number": 2.0,
    "a text": "1,2",
    "of none": (),
    "of one": (1.0,),
    "of three": (1.0, 2.0, 3.0),
    "of four": (1.0, 2.0, 3.0, 4.0),
    "of zero": (0.0, 1.0),
    "negative": (-1.0, 1.0),
    "of NaN": (float("nan"), 1.0),
    "infinite": (float("inf"), 1.0),
    "of texts": ("1", "2"),
    "of flags": (True, True),
    "of None": (None, 1.0),
    "nested": ((1.0, 2.0), (1.0, 2.0)),
    "an array of two axes": np.ones((2, 2)),
    "far apart": (1.0, 2000.0),
    "a set": {1.0, 2.0},
    "a tensor": torch.ones(2),
}
#: No label that no class has; None is good.
BAD_IGNORE_INDEX: Kind = {k: v for k, v in NO_INTEGER.items() if k != "None"} | {
    "of the background": 0,
    "of the foreground": 1,
    "beyond 64 bits": 2**63,
    "below 64 bits": -(2**63) - 1,
}
#: No array of real numbers, of whatever shape.
NO_REALS: Kind = NO_NUMBERS | {
    "None": None,
    "a tensor": LOGITS,
    "masked": np.ma.masked_less(MASK, 1),
    "ragged": [[0, 1], [1]],
}
#: No probabilities, of whatever shape.
BAD_CHANCES: Kind = NO_REALS | {
    "NaN": NAN,
    "inf": INF,
    "negative": IMAGE - 0.5,
    "above 1": IMAGE * 2,
}
BAD_MODULE: Kind = {"None": None, "a function": len, "a text": "unet", "a class": torch.nn.Identity}

#: The kind of a parameter, by its name, where a call says nothing else.
BY_NAME: dict[str, Kind] = {
    "border": BAD_CHOICE,
    "connectivity": BAD_CONNECTIVITY,
    "dimensions": BAD_DIMENSIONS,
    "ignore_index": BAD_IGNORE_INDEX,
    "image": BAD_LIKELIHOOD,
    "labels": BAD_CHOICE,
    "likelihood": BAD_LIKELIHOOD,
    "logits": BAD_LOGITS,
    "mask": BAD_MASK,
    "mask_threshold": BAD_FRACTION,
    "min_persistence": BAD_FRACTION,
    "prediction": BAD_MASK,
    "radius": BAD_NUMBER,
    "reduction": BAD_CHOICE,
    "saddle_level": BAD_FRACTION,
    "seed": BAD_SEED,
    "smooth": BAD_POSITIVE,
    "spacing": BAD_SPACING,
    "target": BAD_MASK,
    "threshold": BAD_FRACTION,
    "truth": BAD_MASK,
}
