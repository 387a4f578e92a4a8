"""What the tests of pictures and explorers share: small images, and what a view shows and hears."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.measure import euler_number, label


def drawn(picture):
    """Turn rows of # and other signs into a mask."""
    return np.array([[sign == "#" for sign in row] for row in picture.split()])


def hills(seed=0, shape=(24, 33), width=1.0):
    """Return a smooth random image that reaches from 0 to 1."""
    image = gaussian_filter(np.random.default_rng(seed).random(shape), width)
    return (image - image.min()) / np.ptp(image)


def random_masks(shape=(13, 19), seed=0):
    """Return two masks."""
    return np.random.default_rng(seed).random((2, *shape)) < 0.5


def betti(mask, connectivity):
    """Count components by scikit-image's labels, holes by its Euler number."""
    world = np.pad(mask, 1)
    components = int(label(world, connectivity=connectivity).max())
    return components, components - int(euler_number(world, connectivity=connectivity))


def painted(trace):
    """Return the colours that a picture of a view holds."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(trace.source.split(",")[1]))))


def spoken(view):
    """Return the line of text of a view."""
    return view.words.text


def file_of(pixels, kind="PNG"):
    """Return the bytes of a picture file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def upload(view, content, name="mine.png"):
    """Hand a reader's own file to a view."""
    view.take_upload(SimpleNamespace(new=({"name": name, "content": memoryview(content)},)))


def points_at(*places):
    """Return what plotly tells of a click on these points."""
    return SimpleNamespace(point_inds=list(places))
