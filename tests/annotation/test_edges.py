"""Journals of version 1, whose branches are the edges of the skeleton."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage
from sessions import IMAGE, begin

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.annotation.edges import find_edges
from toposeg_lite.annotation.journal import Journal
from toposeg_lite.data import photos
from toposeg_lite.topology.morse import morse_complex

ASSETS = files("toposeg_lite.data") / "assets"


def blurred(seed, shape=(24, 31)):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), 1.0)
    return (noise - noise.min()) / np.ptp(noise)


def edges_of(image, min_persistence, level):
    return find_edges(image, min_persistence=min_persistence, saddle_level=level, connectivity=2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("min_persistence", "level"), [(0.0, 0.0), (0.05, 0.3), (0.2, 0.1)])
def test_edges_cover_the_skeleton_once_but_for_nodes(seed, min_persistence, level):
    image = blurred(seed)
    edges = edges_of(image, min_persistence, level)
    skeleton = morse_complex(image).skeleton(min_persistence, level)
    covered = np.zeros(image.size, int)
    nodes = np.unique([path[[0, -1]] for path in edges.paths])
    for k, path in enumerate(edges.paths):
        np.add.at(covered, np.setdiff1d(path, nodes), 1)
        steps = np.abs(np.diff(np.stack(np.unravel_index(path, image.shape)), axis=1))
        assert steps.size == 0 or steps.max() == 1
        assert edges.own_paths[k].tolist() == path.tolist()
        assert image.ravel()[edges.saddle[k]] == image.ravel()[path].min()
    assert np.array_equal(nodes, np.sort(skeleton.nodes))
    assert (covered <= 1).all()
    covered[nodes] = 1
    assert np.array_equal(covered.reshape(image.shape) > 0, skeleton.mask)
    for node in nodes:
        ending = [k for k, path in enumerate(edges.paths) if node in path]
        lowest = {k: image.ravel()[edges.paths[k]].min() for k in ending}
        assert lowest[int(edges.owner.flat[node])] == max(lowest.values())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("min_persistence", "level"), [(0.03, 0.0), (0.05, 0.4)])
def test_an_edge_has_the_persistence_of_the_best_branch_along_it(seed, min_persistence, level):
    image = blurred(seed)
    edges = edges_of(image, min_persistence, level)
    branches = morse_complex(image).branches(min_persistence, level)
    steps = [{frozenset(step) for step in pairwise(path.tolist())} for path in branches.paths]
    lines = [k for k, path in enumerate(edges.paths) if len(path) > 1]
    assert len(lines) > 10
    assert (edges.kind[lines] < 2).all()
    for k in lines:
        along = {frozenset(step) for step in pairwise(edges.paths[k].tolist())}
        values = [v for s, v in zip(steps, branches.persistence, strict=True) if along <= s]
        assert edges.persistence[k] == max(values)


def test_a_lone_peak_rises_above_the_saddle_level():
    edges = edges_of(IMAGE, 0.1, 0.1)
    assert edges.kind.tolist().count(3) == 1
    assert edges.paths[-1].tolist() == [8 * 15 + 4]
    assert edges.persistence[-1] == pytest.approx(0.6)


def old_journal(path, image, records):
    """Write a journal as the first version of the library did."""
    begin(path, image).close()
    header = Journal(path)
    written = dict(header.header)
    header.close()
    path.unlink()
    settings = dict(written["settings"])
    settings["persistence"] = settings.pop("min_persistence")
    file = Journal(path)
    first = {"journal": "toposeg_lite annotation", "version": 1}
    parts = {"image": written["image"], "likelihood": written["likelihood"], "settings": settings}
    file.append(first | parts)
    for number, record in enumerate(records, 1):
        file.append(record | {"n": number})
    file.close()


def test_a_journal_of_version_1_goes_on_with_its_own_branches(tmp_path):
    path, image = tmp_path / "old.jsonl", blurred(3)
    edges = edges_of(image, 0.1, 0.1)
    middle = [int(p[len(p) // 2]) for p in edges.paths]
    chosen = list(range(0, len(middle), 2))
    at = [middle[k] for k in chosen]
    records = [{"do": "accept", "branches": chosen, "at": at},
               {"do": "reject", "branches": [1], "at": [middle[1]]}]  # fmt: skip
    old_journal(path, image, records)
    session = begin(path, image)
    assert session.problems == []
    assert [p.tolist() for p in session.branches.paths] == [p.tolist() for p in edges.paths]
    wanted = [-1 if k == 1 else 1 - k % 2 for k in range(len(middle))]
    assert session.decisions.tolist() == wanted
    np.testing.assert_array_equal(session.mask(), edges.mask(np.array(wanted), radius=0))
    session.reject(3)
    session.close()
    again = begin(path, image)  # still of version 1
    assert again.problems == []
    assert again.decisions.tolist() == [-1 if k == 3 else d for k, d in enumerate(wanted)]
    again.close()


def test_new_journals_say_that_they_number_pieces(tmp_path):
    path, image = tmp_path / "new.jsonl", blurred(3)
    session = begin(path, image)
    first = json.loads(path.read_text().splitlines()[0])
    assert first["version"] == 2
    assert len(session.branches) != len(edges_of(image, 0.1, 0.1))
    session.accept([0, 2])
    session.reject(1)
    decisions, paths = session.decisions.tolist(), session.branches.paths
    session.close()
    again = begin(path, image)
    assert again.decisions.tolist() == decisions
    assert [p.tolist() for p in again.branches.paths] == [p.tolist() for p in paths]
    again.close()


@pytest.mark.parametrize(("name", "radius"), [("retina", 2), ("brick", 1)])
def test_the_journals_of_the_photographs_open(tmp_path, name, radius):
    """They were begun by the first version of the library, with thousands of edges."""
    for kept in (f"{name}.jsonl", f"{name}.jsonl.likelihood.npz"):
        shutil.copy(ASSETS / kept, tmp_path)
    wanted, done = {}, []
    for line in (tmp_path / f"{name}.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record.get("do") in ("accept", "reject", "draw", "erase"):
            done.append(record)
        elif record.get("do") == "undo":
            done.pop()
    for record in done:
        for branch in record.get("branches", ()):
            wanted[branch] = 1 if record["do"] == "accept" else -1
    image = getattr(photos, name)().image
    options = {"min_persistence": 0.04, "saddle_level": 0.1, "radius": radius}
    session = AnnotationSession(image, None, tmp_path / f"{name}.jsonl", **options)
    assert session.problems == []
    decided = np.flatnonzero(session.decisions)
    assert {int(k): int(session.decisions[k]) for k in decided} == wanted
    assert np.array_equal(session.mask(), getattr(photos, name)(masks="annotated").mask)
    session.close()
