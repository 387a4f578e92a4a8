"""A session as layers of napari and as a skeleton of skan, and what was done there as lines.

Neither program is imported before it is asked for, and napari not at all: a layer is a tuple
(data, keywords, kind), as its readers and widgets return them. To see them::

    viewer = napari.Viewer()
    for layer in to_napari(session):
        viewer._add_layer_from_data(*layer)

which is what napari does with the tuples of a plugin. Data are in pixels, row first; the spacing
is each layer's ``scale``. The layers are "image", "likelihood", "mask", "branches" and "strokes".
In the table of features of "branches" the decision is a word that can be edited; in "strokes" more
paths can be drawn. `from_napari` reads both, and `AnnotationSession.take` takes them in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..checks import check_choice
from ..topology.branches import UNDECIDED
from ..topology.skeleton import thin_mask
from .lines import DECISIONS, KINDS, Line, scale_of
from .session import AnnotationSession

__all__ = ["from_napari", "to_napari", "to_skan"]

#: By decision: bluish green, vermilion and yellow, which the colour-blind tell apart, too.
_COLOURS = {"accepted": "#009e73", "rejected": "#d55e00", "undecided": "#f0e442"}
_STROKES = {"drawn": "#0072b2", "erased": "#cc79a7"}
_NUMBERS = {word: number for number, word in DECISIONS.items()}

Layer = tuple[Any, dict[str, Any], str]


def to_napari(session: AnnotationSession, *, spacing: Sequence[float] | None = None) -> list[Layer]:
    """Return a session as layers of napari: image, likelihood, mask, branches, strokes.

    Parameters
    ----------
    session : AnnotationSession
        What to show; the layers hold copies of its decisions and strokes.
    spacing : sequence of float, optional
        The lengths of a pixel along (z,) y, x: the ``scale`` of every layer. Default: 1.

    Returns
    -------
    list of (data, keywords, kind)
        Images of three channels are shown in colour, others as a layer a channel. A path of a
        single pixel is a line of half a pixel, as napari draws no points among shapes.

    Examples
    --------
    >>> likelihood = np.array([[0.9, 0.9, 0.2, 0.9, 0.9]])
    >>> layers = to_napari(AnnotationSession(likelihood, likelihood), spacing=(0.5, 0.5))
    >>> [(keywords["name"], kind) for data, keywords, kind in layers]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('image', 'image'), ('likelihood', 'image'), ('mask', 'labels'),
     ('branches', 'shapes'), ('strokes', 'shapes')]
    >>> data, keywords, kind = layers[3]
    >>> data[0].tolist(), keywords["features"]["decision"][0], keywords["scale"]
    ([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]], 'undecided', (0.5, 0.5))
    """
    _check_session(session)
    ndim = len(session.shape)
    scale = tuple(scale_of(spacing, ndim).tolist())
    layers = _pictures(session.image, ndim, scale)
    shown = {"name": "likelihood", "scale": scale, "colormap": "magma", "visible": False}
    layers.append((session.likelihood, shown | {"contrast_limits": (0.0, 1.0)}, "image"))
    mask = session.mask().astype(np.uint8)
    layers.append((mask, {"name": "mask", "scale": scale, "opacity": 0.4}, "labels"))
    words = [DECISIONS[int(decision)] for decision in session.decisions]
    facts = {
        "kind": np.full(len(words), "branch", object),
        "decision": np.array(words, object),
        "radius": np.full(len(words), np.nan),
        "branch": np.arange(len(words)),
        "probability": session.probability,
        "uncertainty": session.uncertainty,
        "persistence": session.branches.persistence.astype(np.float64),
    }
    colours = [_COLOURS[word] for word in words]
    paths = session.branches.paths
    layers.append(_shapes("branches", session.shape, paths, facts, colours, scale))
    strokes = session.strokes
    kinds = ["drawn" if stroke.drawn else "erased" for stroke in strokes]
    facts = {
        "kind": np.array(kinds, object),
        "decision": np.full(len(kinds), "undecided", object),
        "radius": np.array([stroke.radius for stroke in strokes], np.float64),
    }
    colours = [_STROKES[kind] for kind in kinds]
    drawn = [stroke.path for stroke in strokes]
    data, keywords, kind = _shapes("strokes", session.shape, drawn, facts, colours, scale)
    # What a person draws there is a stroke of the session's own radius.
    keywords["feature_defaults"] = {"kind": "drawn", "decision": "undecided", "radius": np.nan}
    return [*layers, (data, keywords, kind)]


def from_napari(layers: Iterable[Any]) -> list[Line]:
    """Return the lines of napari's layers: of those of kind "shapes", all others are passed over.

    Parameters
    ----------
    layers : iterable of (data, keywords, kind) or of napari.layers.Layer
        For example ``viewer.layers``. Where shapes have the features of `to_napari` (``kind``,
        ``decision``, ``radius``), they are what these say; else they are drawn. Shapes must be
        lines or paths: areas have no middle line.

    Examples
    --------
    >>> lines = from_napari([([[[0, 1], [0, 4]]], {"shape_type": "path"}, "shapes")])
    >>> lines[0].points.tolist(), lines[0].kind
    ([[0.0, 1.0], [0.0, 4.0]], 'drawn')
    """
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        raise TypeError(f"layers must be an iterable of layers; got {type(layers).__name__}")
    lines: list[Line] = []
    for layer in layers:
        made = layer.as_layer_data_tuple() if hasattr(layer, "as_layer_data_tuple") else layer
        if not isinstance(made, tuple) or len(made) != 3 or not isinstance(made[1], dict):
            raise TypeError(f"layers must be tuples (data, keywords, kind); got {made!r:.80}")
        data, keywords, kind = made
        if kind == "shapes":
            lines += _lines(data, keywords)
    return lines


def to_skan(session: AnnotationSession, *, spacing: Sequence[float] | None = None) -> Any:
    """Return the skeleton of a session's mask as a `skan.Skeleton`; skan must be installed.

    `lines_from_skan` goes the other way. Lone pixels are no paths in skan, and are lost there.

    Parameters
    ----------
    session : AnnotationSession
        Whose mask; it must not be empty.
    spacing : sequence of float, optional
        The lengths of a pixel along (z,) y, x: the unit of skan's lengths. Default: pixels.

    Raises
    ------
    ModuleNotFoundError
        If skan is missing.

    Examples
    --------
    >>> likelihood = np.zeros((3, 7))
    >>> likelihood[1, 1:6] = 0.9
    >>> skeleton = to_skan(AnnotationSession(likelihood, likelihood), spacing=(0.5, 0.5))
    >>> skeleton.n_paths, skeleton.path_lengths()
    (1, array([2.]))
    """
    _check_session(session)
    ndim = len(session.shape)
    lengths = scale_of(spacing, ndim)
    mask = session.mask()
    if not mask.any():
        raise ValueError("session has an empty mask, which has no skeleton")
    try:
        import skan
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "to make a skan.Skeleton skan is needed, and it is not installed. Run: pip install skan"
        ) from None
    ratios = tuple((lengths / lengths.min()).tolist())
    thin = thin_mask(mask, ratios if ndim == 3 and max(ratios) > 1 else None)
    return skan.Skeleton(thin, spacing=lengths.tolist())


def _check_session(session: Any) -> None:
    if not isinstance(session, AnnotationSession):
        raise TypeError(f"session must be an AnnotationSession; got {type(session).__name__}")


def _pictures(image: np.ndarray, ndim: int, scale: tuple[float, ...]) -> list[Layer]:
    """Return an image, with its channels first if it has any, as one layer or a layer a channel."""
    if image.ndim == ndim:
        return [(_numbers(image), {"name": "image", "scale": scale}, "image")]
    in_colour = image.dtype == np.uint8 or (image.min() >= 0 and image.max() <= 1)
    if len(image) == 3 and in_colour:
        shown = {"name": "image", "scale": scale, "rgb": True}
        return [(_numbers(np.moveaxis(image, 0, -1)), shown, "image")]
    names = ["image"] if len(image) == 1 else [f"image {k}" for k in range(len(image))]
    return [
        (_numbers(channel), {"name": name, "scale": scale, "blending": "additive"}, "image")
        for name, channel in zip(names, image, strict=True)
    ]


def _numbers(image: np.ndarray) -> np.ndarray:
    return image.astype(np.uint8) if image.dtype == np.bool_ else image


def _shapes(
    name: str,
    shape: tuple[int, ...],
    paths: list[np.ndarray],
    facts: dict[str, np.ndarray],
    colours: list[str],
    scale: tuple[float, ...],
) -> Layer:
    """Return a layer of paths, which are given by flat indices."""
    data = []
    for path in paths:
        points = np.stack(np.unravel_index(path, shape), axis=1).astype(np.float64)
        if len(points) == 1:
            points = np.repeat(points, 2, axis=0)
            points[:, -1] += (-0.25, 0.25)
        data.append(points)
    keywords: dict[str, Any] = {
        "name": name,
        "scale": scale,
        "shape_type": "path",
        "edge_width": 0.5,
        "features": facts,
        "ndim": len(shape),
    }
    if data:  # napari takes no empty list of colours
        keywords["edge_color"] = colours
    return data, keywords, "shapes"


def _lines(data: Any, keywords: dict[str, Any]) -> list[Line]:
    """Return the shapes of one layer."""
    types = keywords.get("shape_type", "rectangle")
    types = [types] * len(data) if isinstance(types, str) else list(types)
    features = keywords.get("features")
    columns = {} if features is None else {name: list(features[name]) for name in features}
    lines = []
    for k, points in enumerate(data):
        if types[k] not in ("path", "line"):
            raise ValueError(
                f"layers must hold lines and paths alone; shape {k} of "
                f"{keywords.get('name', 'a layer')!r} is of the type {types[k]!r}"
            )
        facts = {name: values[k] for name, values in columns.items()}
        kind = facts.get("kind")
        line = Line(np.asarray(points, np.float64))
        if kind == "branch":
            word = check_choice(facts["decision"], tuple(_NUMBERS), "decision in layers")
            line = line._replace(kind=kind, decision=_NUMBERS[word])
        elif kind in KINDS:
            radius = facts.get("radius", np.nan)
            line = line._replace(kind=kind, decision=UNDECIDED,
                                 radius=None if np.isnan(radius) else float(radius))  # fmt: skip
        lines.append(line)
    return lines
