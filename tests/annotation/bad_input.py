"""Bad input that `annotation` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

import numpy as np
import torch
from bad_values import EMPTY, IMAGE, MASK, NAN

from toposeg_lite.annotation import (
    AnnotationSession,
    LogisticModel,
    judge_branches,
    likelihood_of_mask,
    open_session,
    simulate_annotator,
    to_skan,
)

LOGITS = torch.linspace(-3, 3, 12).reshape(1, 1, 3, 4)
POINTWISE = torch.nn.Identity()
SESSION = AnnotationSession(IMAGE, IMAGE)
VOLUME = AnnotationSession(IMAGE[None], IMAGE[None])


class Mute:
    """A branch model that knows no branch and learns nothing."""

    def predict(self, image, likelihood, branches):
        return np.empty(0), np.empty(0)


CASES = [
    (
        "session without branches",
        lambda: AnnotationSession(0 * IMAGE, 0 * IMAGE).accept(0),
        ValueError,
        "branch must be that of a session with branches; got 0",
    ),
    # --- annotation ---
    (
        "session, image",
        lambda: AnnotationSession("eye.png", IMAGE),
        TypeError,
        "image must hold real",
    ),
    (
        "session, image of NaN",
        lambda: AnnotationSession(NAN, IMAGE),
        ValueError,
        "image holds values that are NaN",
    ),
    (
        "session, empty image",
        lambda: AnnotationSession(EMPTY, IMAGE),
        ValueError,
        r"image must have.*\(0, 4\)",
    ),
    (
        "session, image of a tensor",
        lambda: AnnotationSession(LOGITS, IMAGE),
        TypeError,
        "torch tensor",
    ),
    (
        "session, shapes",
        lambda: AnnotationSession(IMAGE.T, IMAGE),
        ValueError,
        r"likelihood's shape \(3, 4\).*got \(4, 3\)",
    ),
    (
        "session, likelihood of NaN",
        lambda: AnnotationSession(IMAGE, NAN),
        ValueError,
        "likelihood holds 2 values that are NaN",
    ),
    (
        "session, logits",
        lambda: AnnotationSession(IMAGE, 3 * IMAGE),
        ValueError,
        "likelihood must lie in",
    ),
    (
        "session, no likelihood",
        lambda: AnnotationSession(IMAGE, None),
        ValueError,
        "likelihood must be given",
    ),
    (
        "session, model",
        lambda: AnnotationSession(IMAGE, IMAGE, model=POINTWISE),
        TypeError,
        "method predict",
    ),
    (
        "session, model without likelihood",
        lambda: AnnotationSession(IMAGE, LogisticModel()),
        TypeError,
        "method likelihood",
    ),
    (
        "session, persistence",
        lambda: AnnotationSession(IMAGE, IMAGE, min_persistence=2),
        ValueError,
        r"persistence must lie in \[0, 1\]",
    ),
    (
        "session, saddle level",
        lambda: AnnotationSession(IMAGE, IMAGE, saddle_level="low"),
        TypeError,
        "saddle_level must be a number",
    ),
    (
        "session, threshold",
        lambda: AnnotationSession(IMAGE, IMAGE, mask_threshold=-1),
        ValueError,
        "mask_threshold must lie in",
    ),
    (
        "session, radius",
        lambda: AnnotationSession(IMAGE, IMAGE, radius=np.inf),
        ValueError,
        "radius must be finite",
    ),
    (
        "session, connectivity",
        lambda: AnnotationSession(IMAGE, IMAGE, connectivity=8),
        ValueError,
        r"1 \(4 neighbours\)",
    ),
    (
        "session, learn",
        lambda: AnnotationSession(IMAGE, IMAGE, learn="never"),
        ValueError,
        "'always', 'asked'; got 'never'",
    ),
    (
        "session, path",
        lambda: AnnotationSession(IMAGE, IMAGE, 3),
        TypeError,
        "path must be the name",
    ),
    ("session, folder", lambda: AnnotationSession(IMAGE, IMAGE, "."), ValueError, "is a folder"),
    (
        "session, no folder",
        lambda: AnnotationSession(IMAGE, IMAGE, "nowhere/a.jsonl"),
        FileNotFoundError,
        "folder of the journal",
    ),
    (
        "queue by name",
        lambda: SESSION.queue("name"),
        ValueError,
        "by must be one of 'uncertainty', 'doubt', 'gain'",
    ),
    ("accept no branch", lambda: SESSION.accept(-1), ValueError, "branch must be 0 to"),
    (
        "accept another branch",
        lambda: SESSION.accept(99),
        ValueError,
        "branch must be 0 to .*got 99",
    ),
    ("accept nothing", lambda: SESSION.accept([]), ValueError, "one branch at least"),
    ("reject a name", lambda: SESSION.reject("trunk"), TypeError, "branch must be an integer"),
    ("reject None", lambda: SESSION.reject(None), TypeError, "branch must be an integer"),
    ("reject True", lambda: SESSION.reject(True), TypeError, "branch must be an integer"),
    (
        "draw outside",
        lambda: SESSION.draw([(0, 0), (3, 0)]),
        ValueError,
        r"inside.*\(3, 4\); got \[3\.0, 0\.0\]",
    ),
    ("draw NaN", lambda: SESSION.draw([(0, np.nan)]), ValueError, "points must lie inside"),
    ("draw nothing", lambda: SESSION.draw([]), ValueError, r"shape \(k, 2\); got shape \(0,\)"),
    ("draw words", lambda: SESSION.draw("here"), TypeError, "points must be an array of numbers"),
    (
        "draw, radius",
        lambda: SESSION.draw([(0, 0)], radius=-1),
        ValueError,
        "radius must be finite and zero",
    ),
    ("erase a point", lambda: SESSION.erase((1, 1)), ValueError, r"got shape \(2,\)"),
    ("click", lambda: SESSION.nearest((1, 2, 3)), ValueError, "point must be 2 finite numbers"),
    (
        "click on words",
        lambda: SESSION.nearest("here"),
        TypeError,
        "point must be an array of numbers",
    ),
    (
        "click, reach",
        lambda: SESSION.nearest((1, 2), reach=-1),
        ValueError,
        "reach must be finite and zero",
    ),
    (
        "export to jpg",
        lambda: SESSION.export("mask.jpg"),
        ValueError,
        r"path must end in one of \.png.*'mask\.jpg'",
    ),
    (
        "export, affine of a png",
        lambda: SESSION.export("mask.png", affine=np.eye(4)),
        ValueError,
        "NIfTI files alone",
    ),
    (
        "export, affine",
        lambda: SESSION.export("mask.nii", affine=np.eye(3)),
        ValueError,
        r"affine must be 4 x 4.*\(3, 3\)",
    ),
    (
        "export, skeleton of paths",
        lambda: SESSION.export("a.geojson", skeleton=True),
        ValueError,
        "goes with pictures",
    ),
    ("export a volume as png", lambda: VOLUME.export("mask.png"), ValueError, "a volume is no PNG"),
    (
        "learn without learning",
        lambda: AnnotationSession(IMAGE, IMAGE, model=Mute()).learn(),
        TypeError,
        "Mute, cannot learn",
    ),
    (
        "learn always without learning",
        lambda: AnnotationSession(IMAGE, IMAGE, model=Mute(), learn="always"),
        ValueError,
        "a method `learn`",
    ),
    (
        "model that says nothing",
        lambda: AnnotationSession(IMAGE, IMAGE, model=Mute()).queue(),
        ValueError,
        "the model's probability must be",
    ),
    (
        "logistic model, spread",
        lambda: LogisticModel(spread=0),
        ValueError,
        "spread must be .*above zero",
    ),
    (
        "logistic model, spread of words",
        lambda: LogisticModel(spread="wide"),
        TypeError,
        "spread must be a number",
    ),
    (
        "judge, shapes",
        lambda: judge_branches(SESSION, MASK.T),
        ValueError,
        "truth and the session's likelihood must have the same shape",
    ),
    (
        "judge, share",
        lambda: judge_branches(SESSION, MASK, share=75),
        ValueError,
        r"share must lie in \[0, 1\]; got 75",
    ),
    (
        "judge, tolerance",
        lambda: judge_branches(SESSION, MASK, tolerance=-1),
        ValueError,
        "tolerance must be finite and zero",
    ),
    (
        "simulate, truth",
        lambda: simulate_annotator(SESSION, IMAGE),
        ValueError,
        "truth must hold only 0 and 1",
    ),
    (
        "simulate, order",
        lambda: simulate_annotator(SESSION, MASK, order="best"),
        ValueError,
        "'pixel-entropy'; got 'best'",
    ),
    (
        "simulate, no order",
        lambda: simulate_annotator(SESSION, MASK, order=None),
        TypeError,
        "or numbers of branches; got None",
    ),
    (
        "simulate, order twice",
        lambda: simulate_annotator(SESSION, MASK, order=[0, 0]),
        ValueError,
        "each once at most",
    ),
    (
        "simulate, order of others",
        lambda: simulate_annotator(SESSION, MASK, order=[99]),
        ValueError,
        "branches below",
    ),
    (
        "simulate, every",
        lambda: simulate_annotator(SESSION, MASK, every=0),
        ValueError,
        "every must be at least 1",
    ),
    (
        "simulate, clicks",
        lambda: simulate_annotator(SESSION, MASK, clicks=-1),
        ValueError,
        "clicks must be at least 0",
    ),
    (
        "simulate, labels",
        lambda: simulate_annotator(SESSION, MASK, labels="both"),
        ValueError,
        "labels must be one of",
    ),
    (
        "area of another metric",
        lambda: simulate_annotator(SESSION, MASK).area("dice"),
        ValueError,
        "metric must be one of",
    ),
    # --- annotation app ---
    (
        "annotator, mixed",
        lambda: simulate_annotator(SESSION, MASK, mixed="keep"),
        ValueError,
        "mixed must be one of",
    ),
    ("session order", lambda: SESSION.queue("gone"), ValueError, "by must be one of"),
    (
        "annotator, order",
        lambda: simulate_annotator(SESSION, MASK, order="doubts"),
        ValueError,
        "order must be one of",
    ),
    (
        "export, spacing of a picture",
        lambda: SESSION.export("a.png", spacing=(1, 1)),
        ValueError,
        "spacing goes with a path in .geojson or .swc; got 'a.png'",
    ),
    (
        "export, an affine of trees",
        lambda: SESSION.export("a.swc", affine=np.eye(4)),
        ValueError,
        "affine goes with NIfTI files alone; got a path that ends in .swc",
    ),
    (
        "export, the skeleton of trees",
        lambda: SESSION.export("a.swc", skeleton=True),
        ValueError,
        "skeleton=True goes with pictures",
    ),
    (
        "skan, an empty mask",
        lambda: to_skan(AnnotationSession(0 * IMAGE, 0 * IMAGE)),
        ValueError,
        "session has an empty mask",
    ),
    (
        "session of files, neither mask nor likelihood",
        lambda: open_session("a.png"),
        ValueError,
        "likelihood or mask must name a file",
    ),
    (
        "likelihood of a mask, reach beside a likelihood",
        lambda: likelihood_of_mask(MASK, IMAGE, reach=3),
        ValueError,
        "reach goes with a mask alone",
    ),
]
