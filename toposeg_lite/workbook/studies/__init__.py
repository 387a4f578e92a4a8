"""Studies: fair comparisons of losses, what their results are worth, and what is asked of branches.

`Study` compares losses over several seeds, `Comparison` one loss with one seed, with a report;
`read_runs` reads what they left, and `statistics` says whether a difference is more than luck.
`sweep` makes many studies over many processes, and `audit` counts what the labels of a data set
hang on. `calibration` and `orders` ask about branches: how honest their probabilities are, and
which of them an annotator should be asked about first.
``python -m toposeg_lite.workbook.studies --help`` lists the commands.

What holds for all of them: `data` is a `Dataset` with training, validation and test images,
`config` says how the networks are trained, `out` or `folder` is where a study is kept (made if it
is not there), `progress` shows bars, and branches whose persistence is not above `min_persistence`
do not count. Bad arguments raise TypeError or ValueError before anything is trained or made.
Networks are checkpoints and scores are files in the folder of a study, so what was stopped goes on
with the same call.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparison import Comparison, prepare_folder
    from .runs import Run, read_runs
    from .scores import choose_weight, judge, study_tables
    from .study import ARMS, Arm, Study, StudyConfig

__all__ = [
    "ARMS",
    "Arm",
    "Comparison",
    "Run",
    "Study",
    "StudyConfig",
    "choose_weight",
    "judge",
    "prepare_folder",
    "read_runs",
    "study_tables",
]

#: Where each name is from. They are imported when they are asked for: the pages and the statistics
#: of this room are also for readers without torch.
_PLACES = {
    "ARMS": "study",
    "Arm": "study",
    "Comparison": "comparison",
    "Run": "runs",
    "Study": "study",
    "StudyConfig": "study",
    "choose_weight": "scores",
    "judge": "scores",
    "prepare_folder": "comparison",
    "read_runs": "runs",
    "study_tables": "scores",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
