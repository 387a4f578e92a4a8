"""What a picture holds lies beside one another: for the tests of whole figures."""

from __future__ import annotations


def assert_nothing_lies_on_anything_else(figure, *legends):
    """Of panels, the names of their rows and axes, and legends: each inside the figure, apart."""
    figure.draw_without_rendering()
    first = figure.axes[0]
    parts = [*figure.axes, *(ax.xaxis.label for ax in figure.axes), *legends]
    boxes = [part.get_window_extent() for part in (*parts, *first.get_yticklabels())]
    assert legends
    for k, one in enumerate(boxes):
        assert min(one.x0, one.y0) >= 0
        assert (one.max <= figure.bbox.max).all()
        for other in boxes[k + 1 :]:
            beside = one.x1 <= other.x0 or other.x1 <= one.x0
            assert beside or one.y1 <= other.y0 or other.y1 <= one.y0
