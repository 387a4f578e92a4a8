"""A report on masks that some method made: scores of every image, and what went wrong where.

Two folders of masks, predictions and truths, are matched by name, checked, scored image by image
and summed up in a page; a second folder of predictions is compared with the first, paired by image.
Any number of files: one pair a process is in memory at a time, what is scored is kept, and a report
that was stopped goes on. Nothing here needs torch.

    python -m toposeg_lite.report PREDICTIONS TRUTHS

``make_report`` is the same from Python. A report is a folder with three files: ``report.html``, the
page; ``scores.parquet``, a row for each image (see `make_report`); and ``scores.jsonl``, the rows
as they came in, from which the next call goes on.
"""

from .making import make_report
from .options import ReportOptions

__all__ = ["ReportOptions", "make_report"]
