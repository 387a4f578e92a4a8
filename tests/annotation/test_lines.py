"""Lines go out to files and other tools and come in again as they were."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import numpy as np
import pytest
from annotation_sessions import assert_same, begin_again, busy
from scipy import ndimage

from toposeg_lite.annotation import (
    AnnotationSession,
    Line,
    judge_branches,
    lines_from_skan,
    read_lines,
    to_skan,
)
from toposeg_lite.annotation.swc import pixel_graph, read_swc
from toposeg_lite.topology import betti_numbers
from toposeg_lite.topology.skeleton import thin_mask

DRAWINGS = {
    "a fork": """
        # . . . . . #
        . # . . . # .
        . . # . # . .
        . . . # . . .
        . . . # . . .
        . . . # . . .
    """,
    "a ring with an arm": """
        . # # # . . . .
        # . . . # # # #
        # . . . # . . .
        . # # # . . . .
    """,
    "two rings that share a side, a dot, a bar": """
        # # # # # # # . . #
        # . . # . . # . . .
        # . . # . . # . # #
        # # # # # # # . . .
    """,
    "a block": """
        # #
        # #
    """,
    "a dot": ". # .",
    "nothing": ". . .",
}


def drawn(text):
    rows = [line.split() for line in text.strip().splitlines()]
    return np.array([[c == "#" for c in row] for row in rows])


MASKS = {name: drawn(text) for name, text in DRAWINGS.items()}


def blobs(shape, seed):
    """A random mask of thick, branched things."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.2)
    return smooth > 0.1 * smooth.std()


def empty_like(mask, radius=0.0):
    image = np.zeros(mask.shape)
    return AnnotationSession(image, image, radius=radius)


def length(lines, spacing=1.0):
    steps = [np.diff(line.points, axis=0) * spacing for line in lines]
    return sum(float(np.linalg.norm(step, axis=1).sum()) for step in steps)


# --- GeoJSON --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(24, 31), (6, 9, 11)], ids=["2D", "3D"])
@pytest.mark.parametrize("spacing", [None, "uneven"])
def test_a_session_comes_back_from_geojson(tmp_path, shape, spacing):
    session, path = busy(shape), tmp_path / "session.geojson"
    spacing = None if spacing is None else (0.3, 0.7, 1.9)[: len(shape)]
    session.export(path, spacing=spacing)
    lines = read_lines(path, ndim=len(shape), spacing=spacing)
    assert {line.kind for line in lines} == {"branch", "drawn", "erased"}
    assert {line.decision for line in lines if line.kind == "branch"} == {-1, 0, 1}
    again = begin_again(session)
    again.take(lines)
    assert_same(session, again)
    again.export(tmp_path / "again.geojson", spacing=spacing)
    if spacing is None:
        assert (tmp_path / "again.geojson").read_bytes() == path.read_bytes()


def test_coordinates_are_in_the_unit_of_the_spacing(tmp_path):
    session, path = busy(), tmp_path / "session.geojson"
    session.export(path, spacing=(2.0, 3.0))
    feature = json.loads(path.read_text())["features"][0]
    first = feature["geometry"]["coordinates"][0]
    row, column = np.unravel_index(session.branches.paths[0][0], session.shape)
    assert first == [3.0 * column, 2.0 * row]


def test_what_is_taken_in_survives_in_the_journal(tmp_path):
    session = busy()
    session.export(tmp_path / "session.geojson")
    lines = read_lines(tmp_path / "session.geojson")
    options = {"min_persistence": 0.02}
    path = tmp_path / "journal.jsonl"
    with AnnotationSession(session.image, session.likelihood, path, **options) as again:
        again.take(lines)
    with AnnotationSession(session.image, None, path, **options) as reopened:
        assert_same(session, reopened)


def test_branches_of_another_likelihood_are_refused_and_nothing_is_done(tmp_path):
    session, other = busy(), begin_again(busy(seed=1))
    session.export(tmp_path / "session.geojson")
    lines = read_lines(tmp_path / "session.geojson")
    with pytest.raises(ValueError, match=r"\d+ branches that this session does not have"):
        other.take(lines)
    bad = Line(np.array([[0.0, 99.0]]))
    strokes = [line for line in lines if line.kind != "branch"]
    with pytest.raises(ValueError, match=r"points of lines must lie inside"):
        other.take([*strokes, bad])
    assert other.progress().actions == 0
    # As strokes they can be drawn all the same.
    accepted = [line for line in lines if line.decision == 1]
    other.take([line._replace(kind="drawn") for line in accepted])
    assert other.progress().drawn == len(accepted) > 0


def test_the_last_word_about_a_branch_holds_either_way_round():
    session = busy()
    again = begin_again(session)
    path = session.branches.paths[0]
    points = np.stack(np.unravel_index(path, session.shape), axis=1)
    again.take([Line(points, "branch", -1), Line(points[::-1] + 0.4, "branch", 1)])
    assert again.decisions[0] == 1
    assert again.progress().accepted == 1


FOREIGN = {
    "a bare line": {"type": "LineString", "coordinates": [[1, 0], [5, 0]]},
    "a feature without properties": {
        "type": "Feature",
        "properties": None,
        "geometry": {"type": "LineString", "coordinates": [[1, 0], [5, 0]]},
    },
    "several lines, other properties": {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"kind": "vessel", "decision": "yes", "radius": "thick"},
                "geometry": {
                    "type": "MultiLineString",
                    "coordinates": [[[1, 0], [3, 0]], [[4, 0], [5, 0]]],
                },
            }
        ],
    },
    "points among lines": {
        "type": "GeometryCollection",
        "geometries": [
            {"type": "LineString", "coordinates": [[1, 0], [4, 0]]},
            {"type": "MultiPoint", "coordinates": [[5, 0]]},
        ],
    },
}


@pytest.mark.parametrize("name", FOREIGN)
def test_lines_of_other_tools_are_drawn(tmp_path, name):
    path = tmp_path / "lines.json"
    path.write_text(json.dumps(FOREIGN[name]))
    session = empty_like(np.zeros((2, 7)))
    session.take(read_lines(path))
    assert session.mask().astype(int).tolist() == [[0, 1, 1, 1, 1, 1, 0], [0] * 7]


def test_lines_of_other_tools_can_decide_about_branches():
    likelihood = np.array([[0.9, 0.9, 0.2, 0.9, 0.9], [0.0] * 5, [0.6, 0.6, 0.3, 0.6, 0.6]])
    session = AnnotationSession(likelihood, likelihood, radius=0)
    lines = empty_like(likelihood)
    lines.take([Line(np.array([[0, 0], [0, 4]]))])
    real = judge_branches(session, lines.mask())
    session.accept(np.flatnonzero(real))
    assert session.mask()[0].all()
    assert not session.mask()[2, 2]


NO_LINES = {
    "an area": ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]}, "Polygon is no"),
    "three numbers": ({"type": "LineString", "coordinates": [[0, 0, 0], [1, 0, 0]]}, "2 numbers"),
    "no point": ({"type": "LineString", "coordinates": []}, "points of 2 numbers"),
    "texts": ({"type": "LineString", "coordinates": [["a", "b"]]}, "cannot|could not|can be read"),
    "a ragged line": ({"type": "LineString", "coordinates": [[0, 0], [1]]}, "can be read"),
    "no type": ({"coordinates": [[0, 0]]}, "can be read"),
    "a list": ([1, 2], "can be read"),
    "no geometry": ({"type": "Feature", "properties": {}, "geometry": None}, "can be read"),
    "a decision that is none": (
        {
            "type": "Feature",
            "properties": {"kind": "branch", "decision": "perhaps"},
            "geometry": {"type": "Point", "coordinates": [0, 0]},
        },
        "perhaps",
    ),
    "a radius that is none": (
        {
            "type": "Feature",
            "properties": {"kind": "drawn", "radius": -1},
            "geometry": {"type": "Point", "coordinates": [0, 0]},
        },
        "radius must be finite and zero or above",
    ),
}


@pytest.mark.parametrize("name", NO_LINES)
def test_a_file_without_lines_is_refused(tmp_path, name):
    content, text = NO_LINES[name]
    path = tmp_path / "lines.geojson"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"lines.geojson.*(?:{text})"):
        read_lines(path)


@pytest.mark.parametrize("text", ["", "{", '{"type": "LineString", "coordinates": [[NaN, 0]]}'])
def test_a_damaged_file_is_refused(tmp_path, text):
    path = tmp_path / "lines.geojson"
    path.write_text(text)
    with pytest.raises(ValueError, match="holds no lines that can be read"):
        read_lines(path)


# --- Graphs and SWC -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MASKS)
def test_the_graph_of_a_drawing_has_its_topology(name):
    mask = MASKS[name]
    components, loops = betti_numbers(mask)
    graph = pixel_graph(mask)
    assert len(graph.pixels) == mask.sum()
    assert len(graph.tree) == mask.sum() - components
    assert len(graph.closing) == loops


@pytest.mark.parametrize("shape", [(9, 13), (4, 5, 6)], ids=["2D", "3D"])
@pytest.mark.parametrize("seed", range(8))
def test_the_graph_of_any_mask_has_its_topology(shape, seed):
    """Of pixels that fill areas, too. Cavities of a volume are no loops of a graph."""
    mask = np.random.default_rng(seed).random(shape) < 0.3 + 0.05 * seed
    components, loops = betti_numbers(mask)[:2]
    graph = pixel_graph(mask)
    assert len(graph.tree) == mask.sum() - components
    assert len(graph.closing) == loops


def nodes_of(path):
    rows = [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
    return np.array(rows, float).reshape(-1, 7)


def export_of(mask, path, spacing=None):
    """Write the SWC of a mask, and return its nodes."""
    image = mask.astype(float)
    AnnotationSession(image, image).export(path, spacing=spacing)
    return nodes_of(path)


@pytest.mark.parametrize("name", MASKS)
def test_an_swc_file_holds_trees(tmp_path, name):
    mask = MASKS[name]
    rows = export_of(mask, tmp_path / "a.swc")
    components, loops = betti_numbers(mask)
    numbers, parents = rows[:, 0].astype(int), rows[:, 6].astype(int)
    assert numbers.tolist() == list(range(1, len(rows) + 1))
    assert (parents < numbers).all()
    assert (parents == -1).sum() == components
    assert len(rows) == thin_mask(mask).sum() + loops
    assert (rows[:, 5] >= 0.5).all()
    assert not rows[:, 4].any()


@pytest.mark.parametrize("shape", [(30, 41), (8, 13, 15)], ids=["2D", "3D"])
@pytest.mark.parametrize("spacing", [None, "even", "uneven"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_skeleton_comes_back_from_swc(tmp_path, shape, spacing, seed):
    mask, path = blobs(shape, seed), tmp_path / "a.swc"
    lengths = {None: None, "even": (2.0,) * 3, "uneven": (2.0, 0.5, 0.5)}[spacing]
    lengths = None if lengths is None else lengths[: mask.ndim]
    rows = export_of(mask, path, lengths)
    lines = read_lines(path, ndim=mask.ndim, spacing=lengths)
    ratios = (4.0, 1.0, 1.0) if spacing == "uneven" and mask.ndim == 3 else None
    thin = thin_mask(mask, ratios)
    assert betti_numbers(thin)[:2] == betti_numbers(mask)[:2]
    session = empty_like(mask)
    session.take([line._replace(radius=0) for line in lines])
    assert np.array_equal(session.mask(), thin)
    # The same number of loops and the same length as the trees in the file have.
    row_of = {int(row[0]): row for row in rows}
    written = sum(
        float(np.linalg.norm(row[2:5] - row_of[int(row[6])][2:5])) for row in rows if row[6] != -1
    )
    scale = 1.0 if lengths is None else np.array(lengths)
    assert length(lines, scale) == pytest.approx(written)
    again = np.concatenate([np.stack([a, b]) for line in lines for a, b in pairwise(line.points)])
    steps = {
        tuple(sorted(map(tuple, pair.round().tolist()))) for pair in again.reshape(-1, 2, mask.ndim)
    }
    nodes = {end for step in steps for end in step}
    pieces = betti_numbers(thin)[0] - sum(len(line.points) == 1 for line in lines)
    assert len(steps) - len(nodes) + pieces == betti_numbers(thin)[1]


def test_lengths_by_hand(tmp_path):
    mask = np.zeros((12, 20), bool)
    mask[2, 3:13] = True  # 9 steps
    mask[np.arange(5, 10), np.arange(5, 10)] = True  # 4 diagonal steps
    export_of(mask, tmp_path / "a.swc")
    assert length(read_lines(tmp_path / "a.swc")) == pytest.approx(9 + 4 * np.sqrt(2))
    export_of(mask, tmp_path / "b.swc", (2.0, 2.0))
    both = read_lines(tmp_path / "b.swc")  # in units of the file
    assert length(both) == pytest.approx(18 + 8 * np.sqrt(2))
    with_spacing = read_lines(tmp_path / "b.swc", spacing=(2.0, 2.0))
    assert length(with_spacing) == pytest.approx(9 + 4 * np.sqrt(2))


def test_a_loop_is_cut_once_and_closed_again(tmp_path):
    mask = np.zeros((7, 9), bool)
    mask[1:6, 1:8] = True
    mask[2:5, 2:7] = False
    rows = export_of(mask, tmp_path / "a.swc")
    _, counts = np.unique(rows[:, 2:5], axis=0, return_counts=True)
    assert (counts == 2).sum() == 1
    (ring,) = read_lines(tmp_path / "a.swc")
    assert np.array_equal(ring.points[0], ring.points[-1])
    assert "loops cut: 1" in (tmp_path / "a.swc").read_text()


@pytest.mark.parametrize("width", [1, 3, 5])
def test_the_radius_is_half_of_the_width(tmp_path, width):
    mask = np.zeros((15, 40), bool)
    mask[7 - width // 2 : 8 + width // 2, 3:37] = True
    rows = export_of(mask, tmp_path / "a.swc")
    assert np.median(rows[:, 5]) == width / 2
    (line,) = read_lines(tmp_path / "a.swc")
    session = empty_like(mask)
    session.take([line])
    assert np.array_equal(session.mask()[:, 10:30], mask[:, 10:30])
    rows = export_of(mask, tmp_path / "b.swc", (0.25, 0.25))
    assert np.median(rows[:, 5]) == width / 8


def test_a_tracing_of_another_tool(tmp_path):
    """Few nodes, one number given twice over in another order, a comment and a fork."""
    path = tmp_path / "tracing.swc"
    path.write_text(
        "# by hand\n\n10 2 1.0 1.0 0 0.5 -1\n20 2 4 1 0 0.5 10\n 7 2 8 1 0 2.5 20\n"
        "8 2 4 5 0 0.5 20 more\n"
    )
    lines = read_lines(path)
    ends = sorted((line.points[0].tolist(), line.points[-1].tolist()) for line in lines)
    assert ends == [([1, 1], [1, 4]), ([1, 4], [1, 8]), ([1, 4], [5, 4])]
    session = empty_like(np.zeros((7, 10)))
    session.take([line._replace(radius=0) for line in lines])
    expected = np.zeros((7, 10), bool)
    expected[1, 1:9] = expected[1:6, 4] = True
    assert np.array_equal(session.mask(), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0 0 0 0 1", "seven numbers"),
        ("1 0 0 0 0 x -1", "of numbers"),
        ("1.5 0 0 0 0 1 -1", "of numbers"),
        ("1 0 nan 0 0 1 -1", "not finite"),
        ("1 0 0 0 0 1 -1\n1 0 1 0 0 1 1", "two nodes have one number"),
        ("1 0 0 0 0 1 3", "the parent 3 is no node"),
        ("1 0 0 0 2 1 -1", "z other than 0"),
    ],
)
def test_a_bad_swc_file_is_refused(tmp_path, text, message):
    path = tmp_path / "a.swc"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"a.swc.*{re.escape(message)}"):
        read_lines(path)


def test_the_ways_of_a_graph_by_hand():
    """A dot, a ring, and a ring that hangs on an arm."""
    nodes = [(0, 0), (5, 0), (6, 0), (6, 1), (9, 0), (9, 1), (9, 2), (8, 1)]
    links = {2: 1, 3: 2, 5: 4, 6: 5, 7: 5}  # child to parent, from 0
    lines = [f"{k} 0 {x} {y} 0 1 {links.get(k, -1)}" for k, (x, y) in enumerate(nodes)]
    lines += ["8 0 5 0 0 1 3", "9 0 8 1 0 1 6"]  # close both rings
    ways = read_swc("\n".join(lines))
    found = sorted([place[:2].astype(int).tolist() for place in places] for places, _ in ways)
    assert [[0, 0]] in found
    rings = [way for way in found if len(way) > 1 and way[0] == way[-1]]
    assert sorted(len(ring) for ring in rings) == [4, 4]
    arms = [way for way in found if way[0] != way[-1]]
    assert len(arms) == 1
    assert sorted(map(tuple, arms[0])) == [(9, 0), (9, 1)]


# --- skan -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # those of skan's own imports
@pytest.mark.parametrize("shape", [(30, 41), (8, 13, 15)], ids=["2D", "3D"])
@pytest.mark.parametrize("spacing", [None, "uneven"])
def test_a_skeleton_goes_to_skan_and_comes_back(shape, spacing):
    mask = blobs(shape, 0)
    image = mask.astype(float)
    lengths = None if spacing is None else (2.0, 0.5, 0.5)[: mask.ndim]
    skeleton = to_skan(AnnotationSession(image, image), spacing=lengths)
    lines = lines_from_skan(skeleton)
    ratios = (4.0, 1.0, 1.0) if spacing and mask.ndim == 3 else None
    thin = thin_mask(mask, ratios)
    lone = thin & (
        ndimage.convolve(thin.astype(int), np.ones((3,) * mask.ndim), mode="constant") == 1
    )
    session = empty_like(mask)
    session.take([line._replace(radius=0) for line in lines])
    assert np.array_equal(session.mask(), thin & ~lone)
    scale = 1.0 if lengths is None else np.array(lengths)
    assert length(lines, scale) == pytest.approx(skeleton.path_lengths().sum())
