"""Train a network, stop and go on at any step, and score it.

`train` makes steps with Dice + cross-entropy, plus a weighted loss of `losses.LOSSES` if one is
wanted, and leaves a checkpoint; `evaluate` predicts whole images window by window and scores them.
Comparisons of losses that are made of the two are in `toposeg_lite.workbook.studies`.

Bad arguments raise TypeError or ValueError before anything is computed or written.
"""

from .checkpoint import Checkpoint, load_checkpoint
from .config import TrainConfig
from .evaluation import Evaluation, evaluate, predict
from .loop import draw_batch, train

__all__ = [
    "Checkpoint",
    "Evaluation",
    "TrainConfig",
    "draw_batch",
    "evaluate",
    "load_checkpoint",
    "predict",
    "train",
]
