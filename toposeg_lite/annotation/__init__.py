"""Annotate by clicks: accept and reject whole branches, the least certain first.

A session divides a likelihood into branches; `toposeg_lite.topology.branches` says how, and what
decisions make of the mask. Each decision is one click, and the model that orders them learns from
the decisions made so far [1]_ [2]_. Nothing here knows a screen: the workbook has one. Everywhere,
bad arguments raise TypeError or ValueError before anything is done.

- `AnnotationSession`: decisions, strokes by hand, undo, the mask, and a journal that survives
  crashes.
- `BranchModel` says what a model must be able to do. `LogisticModel` is one; `StructureRanking`
  makes one of a trained `StructureModel`.
- `open_session` begins one from the files of other tools: an image, a mask, a likelihood.
- Lines go out (`AnnotationSession.export`: GeoJSON, SWC; `to_napari`, `to_skan`) and come in
  (`read_lines`, `from_napari`, `lines_from_skan`, then `AnnotationSession.take`).
- `simulate_annotator` lets a perfect annotator work against a known truth and draws the curve of
  errors over clicks.

References
----------
.. [1] X. Hu, D. Samaras, C. Chen, "Learning probabilistic topological representations using
       discrete Morse theory", ICLR 2023. arXiv:2206.01742
.. [2] S. Gupta, Y. Zhang, X. Hu, P. Prasanna, C. Chen, "Topology-aware uncertainty for image
       segmentation", NeurIPS 2023. arXiv:2306.05671
"""

from .actions import Progress
from .edits import Effect, Stroke
from .journal import Problem
from .layers import from_napari, to_napari, to_skan
from .lines import Line, lines_from_skan, read_lines
from .ranking import BranchModel, LogisticModel
from .session import AnnotationSession
from .simulate import AnnotationCurve, judge_branches, simulate_annotator
from .sources import likelihood_of_mask, open_session
from .structure_ranking import StructureRanking

__all__ = [
    "AnnotationCurve",
    "AnnotationSession",
    "BranchModel",
    "Effect",
    "Line",
    "LogisticModel",
    "Problem",
    "Progress",
    "Stroke",
    "StructureRanking",
    "from_napari",
    "judge_branches",
    "likelihood_of_mask",
    "lines_from_skan",
    "open_session",
    "read_lines",
    "simulate_annotator",
    "to_napari",
    "to_skan",
]
