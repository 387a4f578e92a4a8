"""Figures show what they are given: read back from the axes, by hand on small images."""

from __future__ import annotations

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from skimage.measure import label

from toposeg_lite.topology import betti_numbers, persistence_pairs
from toposeg_lite.workbook import figures
from toposeg_lite.workbook.figures.base import CARD, EDGE

LINE = np.array([[0.9, 0.1, 0.6]])
RING = np.array([[0.9, 0.8, 0.9, 0.0], [0.7, 0.1, 0.9, 0.0], [0.9, 0.9, 0.9, 0.6]])


def random_image(seed, shape=(13, 17), levels=7):
    return np.random.default_rng(seed).integers(0, levels, shape) / (levels - 1)


def points(ax, marker):
    """Return the sorted points that a marker draws, with whether it is filled."""
    dots = []
    for line in ax.lines:
        if line.get_marker() == marker:
            filled = line.get_markerfacecolor() != "none"
            dots += [(*map(float, xy), filled) for xy in line.get_xydata()]
    return sorted(dots)


@pytest.mark.parametrize("connectivity", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_dots_alive_are_the_betti_numbers_at_every_threshold(seed, connectivity):
    image = random_image(seed)
    pairs = persistence_pairs(image, connectivity=connectivity)
    for t in [*np.unique(image), 0.05, 0.99]:
        counts = np.bincount(pairs.dimension[figures.alive(pairs, t)], minlength=2)
        assert tuple(counts) == betti_numbers(image >= t, connectivity=connectivity)
        assert counts[0] == label(image >= t, connectivity=connectivity).max()


def test_diagram_puts_birth_right_death_up_and_fills_what_is_alive():
    ax = figures.persistence_diagram(persistence_pairs(RING), threshold=0.7, selected=0)
    assert points(ax, "o")[0] == (0.9, 0.0, False)  # the ring around the selected dot
    assert (0.9, 0.0, True) in points(ax, "o")
    assert points(ax, "^") == [(0.7, 0.1, True)]
    later = figures.persistence_diagram(persistence_pairs(RING), threshold=0.95)
    assert not any(filled for *_, filled in points(later, "^") + points(later, "o"))


def test_diagram_without_threshold_fills_all():
    ax = figures.persistence_diagram(persistence_pairs(LINE))
    assert points(ax, "o") == [(0.6, 0.1, True), (0.9, 0.0, True)]


def test_image_marks_the_right_pixels_as_column_and_row():
    image = np.zeros((4, 6))
    image[0, 1], image[1:, 5], image[2, 5] = 0.9, 0.2, 0.7
    pairs = persistence_pairs(image, min_persistence=0.1)
    finite = pairs[pairs.death_index >= 0]
    ax = figures.image_with_pairs(image, finite)
    assert [point[:2] for point in points(ax, "D")] == [(5.0, 2.0)]
    row, column = np.unravel_index(finite.death_index[0], image.shape)
    assert [point[:2] for point in points(ax, "X")] == [(column, row)]


def test_an_essential_pair_has_no_death_pixel():
    ax = figures.image_with_pairs(LINE, persistence_pairs(LINE)[:1])
    assert len(points(ax, "D")) == 1
    assert points(ax, "X") == []


def test_image_paints_exactly_the_superlevel_set():
    ax = figures.image_with_pairs(RING, threshold=0.7)
    grey, layer = ax.images
    np.testing.assert_array_equal(grey.get_array(), RING)
    np.testing.assert_array_equal(~np.ma.getmaskarray(layer.get_array()), RING >= 0.7)


def test_barcode_orders_bars_by_persistence_on_a_falling_axis():
    pairs = persistence_pairs(random_image(5))
    ax = figures.barcode(pairs, limit=6, threshold=0.4, selected=int(np.argmax(pairs.persistence)))
    bars = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2][:6]
    lengths = [a - b for a, b in bars]
    assert lengths == sorted(pairs.persistence.tolist(), reverse=True)[:6]
    low, high = ax.get_xlim()
    assert low > high


def test_outline_encloses_each_pixel_once():
    mask = np.zeros((3, 5), bool)
    mask[1, 1:4] = True
    x, y = figures.outline(mask)
    edges = np.stack([x, y], 1).reshape(-1, 3, 2)
    assert len(edges) == 8  # three by one pixels
    assert np.isnan(edges[:, 2]).all()
    np.testing.assert_array_equal(np.abs(edges[:, 0] - edges[:, 1]).sum(1), 1)
    corners = edges[:, :2].reshape(-1, 2)
    assert corners.min(0).tolist() == [0.5, 0.5]
    assert corners.max(0).tolist() == [3.5, 1.5]
    # Crossing all vertical edges of the middle row from the left goes in and out.
    vertical = sorted(float(a[0]) for a, b, _ in edges if a[0] == b[0])
    assert vertical == [0.5, 3.5]


def test_outline_of_a_random_mask_has_as_many_edges_as_borders():
    mask = np.random.default_rng(0).random((7, 9)) < 0.4
    padded = np.pad(mask, 1)
    borders = sum(np.count_nonzero(np.diff(padded, axis=k)) for k in (0, 1))
    assert len(figures.outline(mask)[0]) == 3 * borders


def test_strongest_is_limited_and_ordered():
    pull = np.random.default_rng(1).normal(size=(8, 5))
    rows, columns = figures.strongest(pull, limit=7)
    np.testing.assert_array_equal(pull[rows, columns], np.sort(pull.ravel())[::-1][:7])
    assert len(figures.strongest(-np.ones((3, 3)))[0]) == 0


def test_gradient_step_marks_raised_and_lowered_pixels():
    pull = np.zeros(RING.shape)
    pull[0, 3], pull[2, 1] = 2.0, -1.0
    figure = figures.gradient_step(
        RING,
        persistence_pairs(RING),
        pull,
        [2.0, 1.0, 0.5],
        step=1,
        truth=RING > 0.5,
        threshold=0.5,
    )
    left, _, right = figure.axes
    assert [point[:2] for point in points(left, "^")] == [(3.0, 0.0)]
    assert [point[:2] for point in points(left, "v")] == [(1.0, 2.0)]
    assert [point[:2] for point in points(right, "s")] == [(1.0, 1.0)]


def test_small_images_are_written_as_numbers():
    ax = figures.pixel_values([[0.25, 1.0, 0.0]], mask=[[True, False, False]])
    assert [t.get_text() for t in ax.texts] == [".25", "1", "0"]
    assert [t.get_weight() for t in ax.texts] == ["bold", "normal", "normal"]


def test_axes_that_are_given_are_used_and_no_window_is_opened():
    figure = Figure()
    ax = figure.subplots()
    assert figures.persistence_diagram(persistence_pairs(LINE), ax=ax) is ax
    assert figures.barcode(persistence_pairs(LINE)).figure is not figure
    assert plt.get_fignums() == []


def test_png_is_small_the_same_twice_and_keeps_the_colours():
    image = np.random.default_rng(0).random((256, 256))
    pairs = persistence_pairs(image)
    pictures = [
        figures.png(figures.persistence_summary(image, pairs, threshold=0.5, selected=3))
        for _ in range(2)
    ]
    assert pictures[0] == pictures[1]
    assert len(pictures[0]) < 150_000
    drawn = (
        np.asarray(Image.open(io.BytesIO(pictures[0])).convert("RGB")).reshape(-1, 3).astype(int)
    )
    for colour in (figures.COMPONENT, figures.HOLE, figures.BIRTH, figures.DEATH):
        wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        assert np.abs(drawn - wanted).sum(1).min() < 40, colour
    assert b"Software" not in pictures[0]


def test_a_card_has_a_soft_ground_a_line_around_it_and_white_where_pixels_say_so():
    figure, (left, right) = figures.parts(2)
    left.imshow(np.ones((4, 4)), cmap="gray", vmin=0, vmax=1)
    right.plot([0, 1])
    right.set_facecolor("black")
    sheet, card = (
        np.asarray(Image.open(io.BytesIO(figures.png(figure, card=card))).convert("RGB"))
        for card in (False, True)
    )
    edge, ground = ([int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in (EDGE, CARD))
    for at in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert (sheet[at] == 255).all()
        assert np.abs(card[at].astype(int) - edge).max() <= 2  # of 256 colours
    assert np.abs(card[3, 3].astype(int) - ground).max() <= 2
    middle = card.shape[0] // 2
    assert (card[middle, card.shape[1] // 4] == 255).all()  # a pixel of value 1
    assert (card == 0).all(axis=-1).sum() > 1000  # axes with a ground of their own keep it
    assert left.get_facecolor() == (1, 1, 1, 1)  # the figure itself is as it was


def test_a_card_cuts_nothing_off_and_has_no_empty_band():
    figure = Figure(figsize=(3, 2))
    ax = figure.add_axes((0.1, 0.5, 0.8, 0.45))
    ax.set(title="a title above the rim", xlabel="x")
    ax.text(1.05, 0.5, "beside the rim", transform=ax.transAxes)
    (none,) = ax.plot([], [], "o", clip_on=False)  # of a kind that there is nothing of

    def rims(**options):
        picture = Image.open(io.BytesIO(figures.png(figure, dpi=100, **options))).convert("RGB")
        inner = np.asarray(picture).astype(int)[1:-1, 1:-1]
        drawn = np.abs(inner - inner[0, 0]).max(axis=-1) > 8
        rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
        ends = rows[0], len(drawn) - 1 - rows[-1], columns[0], drawn.shape[1] - 1 - columns[-1]
        return [int(end) for end in ends]

    assert all(4 <= rim <= 14 for rim in rims(card=True))
    assert all(4 <= rim <= 14 for rim in rims(trim=True))
    for whole in (rims(), rims(card=True, trim=False)):
        assert whole[1] > 40  # the empty band
        assert min(whole[0], whole[3]) < 2  # and what is cut
    assert none.get_visible()  # the figure itself is as it was


def test_colours_are_told_apart_in_grey_or_by_shape():
    assert len({kind[3] for kind in figures.KINDS}) == len(figures.KINDS)


def test_show_carries_the_alternative_text(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    figures.show(figures.persistence_diagram(persistence_pairs(LINE)), "two dots")
    data, metadata = shown[0]._repr_mimebundle_()
    assert data["text/plain"] == "two dots"
    assert metadata["image/png"]["alt"] == "two dots"
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
    assert picture.getpixel((0, 0)) != (255, 255, 255)  # a card
    assert repr(shown[0]) == "two dots"
