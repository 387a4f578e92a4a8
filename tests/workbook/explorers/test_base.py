"""What explorers share: how they are shown, and how they read picture files."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from screens import file_of

from toposeg_lite.losses import DiceBCELoss
from toposeg_lite.workbook import explorers, figures
from toposeg_lite.workbook.explorers import (
    GradientExplorer,
    PaintExplorer,
    PersistenceExplorer,
    WarpExplorer,
    read_image,
    read_volume,
)
from toposeg_lite.workbook.explorers.uploads import bring_colours

LINE = np.array([[0.9, 0.1, 0.6, 0.2, 0.7]])
SHOWN = {
    "persistence": lambda: PersistenceExplorer(LINE),
    "descent": lambda: GradientExplorer(LINE, LINE > 0.5, {"dice": DiceBCELoss()}, steps=2),
    "painting": lambda: PaintExplorer(LINE > 0.5),
    "warp": lambda: WarpExplorer(LINE, LINE > 0),
}


@pytest.mark.parametrize("make", SHOWN.values(), ids=list(SHOWN))
def test_show_stores_widget_picture_and_sentence(monkeypatch, make):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    explorer = make()
    explorers.show(explorer)
    data, metadata = shown[0]._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert base64.b64decode(data["image/png"]) == figures.png(explorer.picture(), card=True)
    assert data["text/plain"] == metadata["image/png"]["alt"] == explorer.describe()


def test_a_page_of_voila_does_not_wait_for_the_picture(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.8")  # as Voila tells its kernels
    explorer = PersistenceExplorer(LINE)
    monkeypatch.setattr(PersistenceExplorer, "picture", None)
    explorers.show(explorer)
    data, _ = shown[0]._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/plain"}


@pytest.mark.parametrize(
    ("trait", "value", "error", "word"),
    [
        ("image", None, TypeError, "image must hold real numbers"),
        ("threshold", "half", TypeError, "threshold must be a number in .0, 1.; got 'half'"),
        ("threshold", True, TypeError, "threshold must be a number"),
        ("selected", 1.5, TypeError, "selected must be an integer; got 1.5"),
        ("selected", -1, ValueError, "selected must be 0 to 3; got -1"),
        ("connectivity", "8", TypeError, "connectivity must be an integer"),
    ],
)
def test_a_trait_is_checked_like_an_argument(trait, value, error, word):
    explorer = PersistenceExplorer(LINE)
    before = explorer.describe()
    with pytest.raises(error, match=word):
        setattr(explorer, trait, value)
    with pytest.raises(error, match=word):
        PersistenceExplorer(**{"image": LINE, trait: value})
    assert explorer.describe() == before


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F"])
def test_pictures_of_all_kinds_are_read(mode):
    grey = np.zeros((6, 9), np.uint8)
    grey[:, 4:] = 255
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 256)
    else:
        picture = Image.fromarray(grey).convert(mode)
    file = io.BytesIO()
    picture.save(file, "TIFF" if mode in ("I", "F") else "PNG")
    np.testing.assert_allclose(read_image(file.getvalue()), grey / 255, atol=1e-6)


BROKEN = {
    "half a PNG": (file_of(np.arange(900, dtype=np.uint8).reshape(30, 30), "PNG")[:70], "Pillow"),
    "nothing": (b"", r"the file is no picture that Pillow can read \(PNG, JPEG"),
    "NaN": (
        file_of(np.array([[0, np.nan, 1]], np.float32), "TIFF"),
        "values that are NaN or infinite",
    ),
    "infinite": (
        file_of(np.array([[0, np.inf, 1]], np.float32), "TIFF"),
        "values that are NaN or inf",
    ),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=list(BROKEN))
@pytest.mark.parametrize("read", [read_image, read_volume, lambda file: bring_colours(file, 3)])
def test_a_broken_file_is_refused_with_a_clear_message(read, content, message):
    with pytest.raises(ValueError, match=message):
        read(content)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[0, 13107, 65535]], np.uint16), [0, 0.2, 1]),  # not cut off at 255
        (np.array([[0, 13107, 65535]], ">u2"), [0, 0.2, 1]),
        (np.array([[-3, -2, 2]], np.float32), [0, 0.2, 1]),
        (np.array([[0, 0.2, 0.5]], np.float32), [0, 0.2, 0.5]),
        (np.array([[7, 7]], np.float32), [0, 0]),
        (np.array([[0, 51, 204]], np.uint8), [0, 0.2, 0.8]),
    ],
)
def test_models_see_pictures_of_all_types_in_their_full_range(pixels, expected):
    seen = bring_colours(file_of(pixels, "TIFF"), 3).values
    np.testing.assert_allclose(seen, np.tile(expected, (3, 1, 1)), atol=1e-6)


def test_large_pictures_are_reduced_and_keep_their_shape():
    file = file_of(np.random.default_rng(1).integers(0, 256, (120, 300), np.uint8))
    assert read_image(file, size=100).shape == (40, 100)
