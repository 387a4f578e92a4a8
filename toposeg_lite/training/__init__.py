"""Train a network, stop and go on at any step, score it, and compare losses fairly.

`train` makes steps with Dice + cross-entropy, plus a weighted loss of `losses.LOSSES` if one is
wanted, and leaves a checkpoint; `evaluate` predicts whole images window by window and scores them,
and shows where the worst of them are wrong.
`Comparison` builds the fair experiment out of the two, and ``python -m toposeg_lite.training`` runs
it through notebook 09. `Study` repeats it for many losses and several seeds: ``python -m
toposeg_lite.training study``. `read_runs` reads what they left.
"""

from ..files import write_atomically
from .checkpoint import Checkpoint, load_checkpoint
from .comparison import CompareConfig, Comparison, choose_weight, judge, prepare_folder
from .config import TrainConfig
from .evaluation import Evaluation, evaluate, predict
from .loop import draw_batch, train
from .runs import Run, read_runs
from .study import ARMS, Arm, Study, StudyConfig, study_tables

__all__ = [
    "ARMS",
    "Arm",
    "Checkpoint",
    "CompareConfig",
    "Comparison",
    "Evaluation",
    "Run",
    "Study",
    "StudyConfig",
    "TrainConfig",
    "choose_weight",
    "draw_batch",
    "evaluate",
    "judge",
    "load_checkpoint",
    "predict",
    "prepare_folder",
    "read_runs",
    "study_tables",
    "train",
    "write_atomically",
]
