"""The picture of which loss mends which fault: every cell says what its row of the table says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from toposeg_lite.workbook import figures


def row(dataset, kind, loss, change, verdict, control=12.0):
    return {"dataset": dataset, "kind": kind, "loss": loss, "control": control, "change": change,
            "verdict": verdict}  # fmt: skip


TABLE = pd.DataFrame([
    row("roads", "break", "cldice", -0.5, "fewer"),
    row("roads", "break", "warping", 0.004, "unclear"),
    row("roads", "false hole", "cldice", -0.3, "rare", 0.25),
    row("roads", "false hole", "warping", np.nan, "rare", 0.25),
    row("walls", "break", "cldice", 1.0, "more", 3.0),
    row("walls", "break", "warping", -0.1, "unclear", 3.0),
    row("walls", "false hole", "cldice", -0.2, "unclear", 7.0),
    row("walls", "false hole", "warping", 0.2, "unclear", 7.0),
])  # fmt: skip


def test_a_panel_for_each_data_set_with_its_cells_and_feet():
    roads, walls = figures.fault_map(TABLE).axes
    assert [ax.get_title(loc="left") for ax in (roads, walls)] == ["roads", "walls"]
    # The losses are named on the left; beside it the rows are the same.
    assert [tick.get_text() for tick in roads.get_yticklabels()] == ["cldice", "warping"]
    assert [tick.get_text() for tick in walls.get_yticklabels()] == []
    assert roads.get_ylim() == walls.get_ylim() == (1.5, -0.5)
    feet = [tick.get_text() for tick in roads.get_xticklabels()]
    assert feet == ["break\n12", "false\nhole\n0.25"]
    words = {text.get_position(): text.get_text() for text in walls.texts}
    assert words == {(0, 0): "+100 %", (0, 1): "-10 %", (1, 0): "-20 %", (1, 1): "+20 %"}
    # What is rare stays empty, and what rounds to nothing has no sign.
    assert {t.get_position(): t.get_text() for t in roads.texts} == {(0, 0): "-50 %", (0, 1): "0 %"}
    assert np.isnan(roads.images[0].get_array().filled(np.nan)[:, 1]).all()


def test_what_is_sure_is_framed_and_has_its_colour():
    roads, walls = figures.fault_map(TABLE).axes
    assert len(roads.patches) == len(walls.patches) == 1
    frame = walls.patches[0]  # about the cell in the corner
    assert -0.5 < frame.get_x() < 0 < frame.get_x() + frame.get_width() < 0.5
    assert [text.get_weight() for text in walls.texts] == ["bold", "normal", "normal", "normal"]
    shades = walls.images[0]
    fewer, more = shades.cmap(shades.norm(-0.6)), shades.cmap(shades.norm(0.6))
    assert min(shades.cmap(shades.norm(0.0))) > 0.99
    assert fewer[2] > fewer[0]  # blue
    assert more[0] > more[2]  # orange
    assert shades.get_array()[0, 0] == 1.0


def test_cells_do_not_leave_their_panel_nor_panels_the_figure():
    figure = figures.fault_map(TABLE)
    for ax in figure.axes:
        box = ax.get_position()
        assert 0 < box.y0 < box.y1 < 1
    left, right = (ax.get_position() for ax in figure.axes)
    assert left.x1 < right.x0
    assert right.x1 < 1
    assert left.y0 == right.y0  # beside each other


def test_five_data_sets_with_fifteen_losses_fit_on_a_page_of_readable_words():
    kinds = ["break", "spurious component", "false merge", "missing component", "false hole"]
    rows = [row(f"set {d}", kind, f"topological-and-{k}", -0.5, "fewer")
            for d in range(5) for kind in kinds for k in range(15)]  # fmt: skip
    figure = figures.fault_map(pd.DataFrame(rows))
    assert len(figure.axes) == 5
    width, height = figure.get_size_inches()
    assert width <= 9.5
    assert height <= 14
    figure.canvas.draw()
    boxes = [ax.get_position() for ax in figure.axes]
    assert [round(box.y0, 6) == round(boxes[0].y0, 6) for box in boxes[:3]] == [True, True, False]
    page = figure.bbox
    for ax in figure.axes:
        cells, feet, names = (
            [word.get_window_extent() for word in words]
            for words in (ax.texts, ax.get_xticklabels(), ax.get_yticklabels())
        )
        for box in (*cells, *feet, *names):
            assert page.x0 <= box.x0 < box.x1 <= page.x1
            assert page.y0 <= box.y0 < box.y1 <= page.y1
        assert max(box.width for box in cells) < ax.get_window_extent().width / len(kinds)
        assert all(one.x1 < other.x0 for one, other in pairwise(feet))
    (key,) = figure.texts
    assert page.x0 <= key.get_window_extent().x0


def luminance(colour):
    """Relative luminance of a colour, as WCAG 2 defines it."""
    parts = np.array(to_rgb(colour))
    parts = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return parts @ [0.2126, 0.7152, 0.0722]


def test_numbers_can_be_read_on_every_shade_and_the_signs_are_explained():
    changes = np.linspace(-1, 1, 41)
    table = pd.DataFrame([row("a", "break", f"{k}", v, "unclear") for k, v in enumerate(changes)])
    figure = figures.fault_map(table)
    (ax,) = figure.axes
    shades = ax.images[0]
    assert len(ax.texts) == len(changes)
    for text, value in zip(ax.texts, changes, strict=True):
        ground = shades.cmap(shades.norm(value))[:3]
        dim, bright = sorted(map(luminance, (text.get_color(), ground)))
        assert (bright + 0.05) / (dim + 0.05) >= 4.5
    (key,) = [text.get_text() for text in figure.texts]
    assert all(word in key for word in ("blue: fewer", "orange: more", "framed: sure", "empty"))
