"""Checkers for the exercises of the workbook.

`check` says "not attempted", "correct", or "not yet" with a hint that names the misconception: the
wrong connectivity, sub- instead of superlevel sets, a forgotten essential class, the hole at the
border. It compares an answer with the right one and with what each misconception would give. Of a
function it also tells that nothing is returned, that it never ends, or that the library did it all.
`variant` gives an exercise other constants for each name, to examine, and
`quiz` asks ten questions on a chapter, to be answered without any code.

>>> check("02.4", None)
02.4 not attempted. Fill in the stub above and run the cell again.
>>> check("02.4", 3)
02.4 not yet. 3 is more than is needed. Start from a dot on the diagonal; let noise lift its birth
as far as it can, and lower its death as far as it can.
>>> check("02.4", 0.1)
02.4 correct. Noise alone makes no dot with a persistence above twice its amplitude.
"""

from . import chapter09, chapter11, chapter14  # noqa: F401
from .chapter01 import PENCIL_SPACE
from .chapter02 import PENCIL_IMAGE
from .chapter03 import PENCIL_STRIP, PENCIL_STRIP_TRUTH
from .chapter04 import PENCIL_MASK
from .chapter05 import PENCIL_RIDGE, PENCIL_ROW
from .chapter06 import DOUBTFUL_WALL, DOUBTFUL_WALL_TRUTH, PENCIL_PASS, PENCIL_PASS_TRUTH
from .chapter07 import PENCIL_BRANCHES
from .chapter08 import PENCIL_QUEUE, QueuedBranch
from .chapter10 import PENCIL_DIFFERENCES
from .chapter12 import PENCIL_TASKS
from .chapter13 import PENCIL_VOLUME
from .checking import Verdict, check
from .quiz import Answer, Question, Quiz, quiz, quizzes
from .variants import Variant, check_variant, variant, variants

__all__ = [
    "DOUBTFUL_WALL",
    "DOUBTFUL_WALL_TRUTH",
    "PENCIL_BRANCHES",
    "PENCIL_DIFFERENCES",
    "PENCIL_IMAGE",
    "PENCIL_MASK",
    "PENCIL_PASS",
    "PENCIL_PASS_TRUTH",
    "PENCIL_QUEUE",
    "PENCIL_RIDGE",
    "PENCIL_ROW",
    "PENCIL_SPACE",
    "PENCIL_STRIP",
    "PENCIL_STRIP_TRUTH",
    "PENCIL_TASKS",
    "PENCIL_VOLUME",
    "Answer",
    "Question",
    "QueuedBranch",
    "Quiz",
    "Variant",
    "Verdict",
    "check",
    "check_variant",
    "quiz",
    "quizzes",
    "variant",
    "variants",
]
