"""Figures of distributions over structures."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
import torch

from toposeg_lite.structures import StructureModel, find_branches, reliability_diagram
from toposeg_lite.workbook import figures

ROW = np.array([[0.9, 0.9, 0.9, 0.3, 0.2, 0.3, 0.8, 0.9, 0.8]])


def test_branches_have_their_colour_and_the_rest_is_grey():
    found = find_branches(ROW)
    assert len(found) == 3
    values = np.array([1.0, 0.0, 0.5])
    colours = figures.branch_colours(np.full(ROW.shape, 0.5), found, values)
    scale = (255 * matplotlib.colormaps["viridis"](values)[:, :3]).astype(np.uint8)
    for pixel, owner in enumerate(found.owner[0]):
        np.testing.assert_array_equal(colours[0, pixel], scale[owner])
    wide = np.zeros((9, 9))
    wide[4] = ROW
    found = find_branches(wide)
    values = np.full(len(found), 0.5)
    colours = figures.branch_colours(np.full((9, 9), 0.5), found, values, largest=0.5)
    yellow = (colours == (253, 231, 36)).all(-1)
    assert yellow[3:6].all()  # the row and its neighbours
    assert (colours[[0, 1, 7, 8]] == 165).all()


def test_values_must_fit_the_branches():
    found = find_branches(ROW)
    with pytest.raises(ValueError, match="each of the 3 branches"):
        figures.branch_colours(np.zeros(ROW.shape), found, [1.0])
    with pytest.raises(ValueError, match="grey and the branches' likelihood"):
        figures.branch_colours(np.zeros((2, 2)), found, np.ones(3))


def test_pixels_have_the_colours_of_the_scale():
    colours = figures.pixel_colours(np.array([[0.0, 0.1, 0.25]]), largest=0.25)
    scale = matplotlib.colormaps["viridis"]([0.0, 0.4, 1.0])
    np.testing.assert_array_equal(colours[0], (255 * scale[:, :3]).astype(np.uint8))


def test_what_pixels_are_unsure_of():
    likelihood = np.array([[0.0, 0.5, 0.75]])
    np.testing.assert_array_equal(figures.pixel_values_of(likelihood, "probability"), likelihood)
    bits = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    np.testing.assert_allclose(figures.pixel_values_of(likelihood, "entropy"), [[0, 1, bits]])
    assert "variance" not in figures.MAPS  # a spread that a loss allows is no uncertainty


def test_grey_is_the_mean_of_the_channels_from_black_to_white():
    image = np.random.default_rng(0).random((3, 4, 5))
    mean = image.mean(0)
    stretched = (mean - mean.min()) / np.ptp(mean)
    np.testing.assert_allclose(figures.grey_of(image), stretched)
    np.testing.assert_allclose(figures.grey_of(mean), stretched)
    np.testing.assert_array_equal(figures.grey_of(np.full((2, 2), 0.3)), np.full((2, 2), 0.3))
    with pytest.raises(ValueError, match="must lie in"):
        figures.grey_of(image * 300)


def test_the_sample_is_yellow_and_the_marked_branch_is_drawn():
    model = StructureModel(torch.nn.Identity(), mode="branch", walk=False)
    (spread,) = model.distribution(torch.tensor(ROW).logit()[None, None])
    samples = spread.sample(2, seed=0)
    ax, middle = figures.structure_summary(ROW, spread, samples, sample=1, selected=0).axes[:2]
    over = ax.images[1].get_array()
    np.testing.assert_array_equal(over[..., 3] > 0, samples.masks[1])
    for part in (ax, middle):
        black, white = part.lines
        columns = white.get_xdata()[:-1].astype(int)
        np.testing.assert_array_equal(columns, spread.branches.paths[0])
        np.testing.assert_array_equal(black.get_xdata(), white.get_xdata())
    assert not figures.structure_summary(ROW, spread, samples).axes[0].lines
    for number in (-1, len(spread.branches)):
        with pytest.raises(ValueError, match=r"selected must be 0 to .*got"):
            figures.structure_summary(ROW, spread, samples, selected=number)


def test_walks_are_drawn_group_by_group():
    groups = [[np.array([0, 1]), np.array([3, 4])], [np.array([8])]]
    ax = figures.image_with_walks(ROW, groups, ["first", "second"])
    first, second = ax.lines
    np.testing.assert_array_equal(first.get_xdata(), [0, 1, np.nan, 3, 4, np.nan])
    np.testing.assert_array_equal(second.get_xdata(), [8, np.nan])
    assert first.get_linestyle() != second.get_linestyle()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["first", "second"]
    with pytest.raises(ValueError, match="1 names and 2 groups"):
        figures.image_with_walks(ROW, groups, ["first"])


def test_reliability_is_drawn_where_it_is():
    chances, truth = [0.1, 0.2, 0.9, 0.9], [0, 0, 1, 0]
    diagram = reliability_diagram(chances, truth, bins=2)
    other = reliability_diagram([0.3], [1], bins=2)
    ax = figures.reliability_plot({"a": diagram, "b": other})
    dots = [np.ma.getdata(found.get_offsets()) for found in ax.collections]
    np.testing.assert_allclose(dots[0], [[0.15, 0.0], [0.9, 0.5]])
    sizes = ax.collections[0].get_sizes()
    assert sizes[0] == sizes[1]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["honest", "a: 27.5 %", "b: 70.0 %", "larger sign: more in its bin"]
    shapes = {found.get_paths()[0].vertices.tobytes() for found in ax.collections}
    assert len(shapes) == 2  # told apart without colours


@pytest.mark.parametrize(
    ("diagrams", "error", "word"),
    [
        ({}, ValueError, "1 to 5; got 0"),
        ([1], TypeError, "must map names"),
        ({"a": 0.5}, TypeError, "Reliability objects"),
        (dict.fromkeys("abcdef", reliability_diagram([0.3], [1])), ValueError, "got 6"),
    ],
)
def test_reliability_refuses_what_is_none(diagrams, error, word):
    with pytest.raises(error, match=word):
        figures.reliability_plot(diagrams)
