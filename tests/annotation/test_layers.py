"""Layers for napari, without a window and without napari."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from annotation_sessions import assert_same, begin_again, busy

from toposeg_lite.annotation import AnnotationSession, from_napari, to_napari

#: The keywords that napari documents for its kinds of layers, as far as they are used here.
KEYWORDS = {
    "image": {"name", "scale", "colormap", "contrast_limits", "rgb", "visible", "blending"},
    "labels": {"name", "scale", "opacity"},
    "shapes": {
        "name", "scale", "ndim", "shape_type", "edge_width", "edge_color", "features",
        "feature_defaults",
    },
}  # fmt: skip
SHAPES = pytest.mark.parametrize("shape", [(24, 31), (6, 9, 11)], ids=["2D", "3D"])


def by_name(layers):
    return {keywords["name"]: (data, keywords, kind) for data, keywords, kind in layers}


@SHAPES
def test_the_tuples_are_what_napari_documents(shape):
    session = busy(shape)
    spacing = (2.0, 0.5, 0.25)[: len(shape)]
    layers = to_napari(session, spacing=spacing)
    for data, keywords, kind in layers:
        assert set(keywords) <= KEYWORDS[kind]
        assert keywords["scale"] == spacing
        if kind == "shapes":
            assert len(data) > 0
            assert all(path.ndim == 2 and path.shape[1] == len(shape) for path in data)
            assert all(len(path) >= 2 for path in data)
            assert all(len(column) == len(data) for column in keywords["features"].values())
            assert len(keywords["edge_color"]) == len(data)
        else:
            assert data.shape == shape
            assert data.dtype != bool
    found = by_name(layers)
    assert list(found) == ["image", "likelihood", "mask", "branches", "strokes"]
    assert np.array_equal(found["mask"][0] > 0, session.mask())
    assert np.array_equal(found["likelihood"][0], session.likelihood)


def test_rows_come_before_columns_by_hand():
    likelihood = np.zeros((5, 8))
    likelihood[3, 1:7] = [0.9, 0.8, 0.2, 0.7, 0.8, 0.7]
    session = AnnotationSession(likelihood, likelihood, radius=0)
    session.accept(session.nearest((3, 3)))
    session.draw([(0, 0), (0, 2)], snap=False)
    found = by_name(to_napari(session))
    paths, keywords, _ = found["branches"]
    accepted = keywords["features"]["decision"].tolist().index("accepted")
    assert (paths[accepted][:, 0] == 3).all()
    assert 3 in paths[accepted][:, 1]
    assert found["strokes"][0][0].tolist() == [[0, 0], [0, 1], [0, 2]]
    assert keywords["scale"] == (1.0, 1.0)


@SHAPES
def test_a_session_comes_back_from_its_layers(shape):
    session = busy(shape)
    again = begin_again(session)
    again.take(from_napari(to_napari(session, spacing=(2.0,) * len(shape))))
    assert_same(session, again)


def test_what_was_edited_in_the_layers_is_taken_in():
    session = busy()
    again = begin_again(session)
    layers = to_napari(again)
    _, keywords, _ = by_name(layers)["branches"]
    keywords["features"]["decision"][2] = "rejected"
    data, keywords, _ = by_name(layers)["strokes"]
    assert data == []
    data.append(np.array([[1.2, 3.4], [1.4, 9.0]]))
    for name, value in keywords["feature_defaults"].items():  # what napari does for a new shape
        keywords["features"][name] = np.array([value])
    again.take(from_napari(layers))
    assert again.decisions[2] == -1
    assert again.progress().rejected == 1
    (stroke,) = again.strokes
    assert stroke.drawn
    assert stroke.radius == again.settings["radius"]
    assert stroke.path.tolist() == [31 + c for c in range(3, 10)]


def test_lines_of_any_shapes_layer_are_drawn_and_areas_are_refused():
    line = ([np.array([[0, 0], [0, 3]])], {"shape_type": ["line"]}, "shapes")
    points = (np.zeros((2, 2)), {}, "points")
    (found,) = from_napari([points, line])
    assert (found.kind, found.radius) == ("drawn", None)
    with pytest.raises(ValueError, match="of the type 'polygon'"):
        from_napari([([np.eye(2)], {"shape_type": "polygon", "name": "cells"}, "shapes")])
    with pytest.raises(ValueError, match="of the type 'rectangle'"):  # napari's own default
        from_napari([([np.eye(2)], {}, "shapes")])
    features = {"kind": ["branch"], "decision": ["maybe"]}
    with pytest.raises(ValueError, match="decision in layers"):
        from_napari([([np.eye(2)], {"shape_type": "path", "features": features}, "shapes")])


@pytest.mark.parametrize(
    ("image", "names", "shape"),
    [
        (np.zeros((4, 5)), ["image"], (4, 5)),
        (np.zeros((4, 5), bool), ["image"], (4, 5)),
        (np.zeros((1, 4, 5)), ["image"], (4, 5)),
        (np.zeros((3, 4, 5)), ["image"], (4, 5, 3)),
        (np.full((3, 4, 5), 200, np.uint8), ["image"], (4, 5, 3)),
        (np.full((3, 4, 5), 2.0), ["image 0", "image 1", "image 2"], (4, 5)),
        (np.zeros((2, 4, 5)), ["image 0", "image 1"], (4, 5)),
    ],
)
def test_channels(image, names, shape):
    session = AnnotationSession(image, np.zeros((4, 5)))
    layers = [layer for layer in to_napari(session) if layer[1]["name"].startswith("image")]
    assert [keywords["name"] for _, keywords, _ in layers] == names
    assert all(data.shape == shape for data, _, _ in layers)
    assert [keywords.get("rgb", False) for _, keywords, _ in layers] == [len(shape) == 3] * len(
        names
    )


@SHAPES
@pytest.mark.filterwarnings("ignore")
def test_napari_itself_takes_them_and_gives_them_back(shape):
    layers = pytest.importorskip("napari.layers", reason="napari is not installed")
    session = busy(shape)
    made = [
        layers.Layer.create(data, keywords, kind)
        for data, keywords, kind in to_napari(session, spacing=(2.0,) * len(shape))
    ]
    for kind, names in KEYWORDS.items():
        known = inspect.signature(getattr(layers, kind.capitalize())).parameters
        assert names <= set(known)
    assert [layer.name for layer in made] == ["image", "likelihood", "mask", "branches", "strokes"]
    again = begin_again(session)
    again.take(from_napari(made))
    assert_same(session, again)
    # A path that a person draws has the defaults of its layer.
    made[-1].add_paths(np.ones((2, len(shape))) * [[1.0], [2.0]])
    line = from_napari([made[-1]])[-1]
    assert (line.kind, line.radius) == ("drawn", None)
