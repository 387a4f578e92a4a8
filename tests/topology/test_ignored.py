"""What ignored pixels count as: drawings, an independent reading of the rule, and its laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from toposeg_lite.topology.ignored import fill_batch, fill_ignored, to_labelled


def drawn(text):
    """A mask and its ignored pixels: # foreground, . background, ? ignored."""
    signs = np.array([list(line) for line in text.split()])
    return signs == "#", signs == "?"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("####..  #??#..  ####?#", "####..  ####..  ####.#"),  # enclosed, and beside background
        ("#?#  ??.  ###", "#.#  ...  ###"),  # one piece, with background at one place
        ("#?.  ?##  ###", "#..  ###  ###"),  # two pieces, which touch by a corner alone
        ("?..  ...  ..#", "...  ...  ..#"),
        ("?##  ###", "###  ###"),  # the outside of the image says nothing
        ("##?##  ##?##", "#####  #####"),
        (".#?#.  .#?#.", ".###.  .###."),
        (".#?#.  ..?..", ".#.#.  ....."),  # a line is cut in the region that it passes
    ],
)
def test_drawings(before, after):
    mask, ignored = drawn(before)
    filled, sources = fill_ignored(mask, ignored)
    np.testing.assert_array_equal(filled, drawn(after)[0])
    np.testing.assert_array_equal(filled, mask.ravel()[sources])


def read_again(image, ignored):
    """The rule, pixel by pixel: walk through each piece, and look at all pixels around it."""
    filled, seen = image.copy(), set()
    for start in map(tuple, np.argwhere(ignored)):
        if start in seen:
            continue
        piece, around, todo = {start}, [], [start]
        while todo:
            place = todo.pop()
            for axis in range(image.ndim):
                for step in (-1, 1):
                    near = tuple(p + step * (k == axis) for k, p in enumerate(place))
                    if not all(0 <= p < n for p, n in zip(near, image.shape, strict=True)):
                        continue
                    if not ignored[near]:
                        around.append(image[near])
                    elif near not in piece:
                        piece.add(near)
                        todo.append(near)
        seen |= piece
        for place in piece:
            filled[place] = min(around)
    return filled


SHAPES = [(1, 6), (6, 1), (5, 7), (3, 4, 5), (1, 1, 1)]


def random_case(seed, shape):
    rng = np.random.default_rng(seed)
    ignored = rng.random(shape) < rng.uniform(0, 1)
    ignored.flat[rng.integers(ignored.size)] = False
    image = rng.integers(0, 4, shape) / 3  # few values, so many are equal
    return image.astype(np.float32), ignored


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), shape=st.sampled_from(SHAPES))
def test_equals_an_independent_reading_of_the_rule(seed, shape):
    image, ignored = random_case(seed, shape)
    filled, sources = fill_ignored(image, ignored)
    np.testing.assert_array_equal(filled, read_again(image, ignored))
    assert filled.dtype == image.dtype
    assert not ignored.ravel()[sources].any()  # nothing comes from an ignored pixel
    np.testing.assert_array_equal(sources[~ignored], np.flatnonzero(~ignored))
    np.testing.assert_array_equal(image.ravel()[sources], filled)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), shape=st.sampled_from(SHAPES), full=st.booleans())
def test_no_component_and_no_hole_lies_in_ignored_pixels_alone(seed, shape, full):
    image, ignored = random_case(seed, shape)
    filled, _ = fill_ignored(image, ignored)
    structure = ndimage.generate_binary_structure(len(shape), len(shape) if full else 1)
    for threshold in np.unique(image):
        for part in (filled >= threshold, filled < threshold):
            labels, count = ndimage.label(part, structure)
            assert set(range(1, count + 1)) <= set(labels[~ignored].tolist())


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32), shape=st.sampled_from(SHAPES))
def test_what_ignored_pixels_hold_does_not_matter(seed, shape):
    image, ignored = random_case(seed, shape)
    other = image.copy()
    other[ignored] = np.random.default_rng(seed + 1).random(shape)[ignored]
    for first, second in zip(
        fill_ignored(image, ignored), fill_ignored(other, ignored), strict=True
    ):
        np.testing.assert_array_equal(first, second)


def test_nothing_ignored_changes_nothing_and_all_ignored_is_zero():
    image = np.linspace(0, 1, 12).reshape(3, 4)
    filled, sources = fill_ignored(image, np.zeros((3, 4), bool))
    np.testing.assert_array_equal(filled, image)
    np.testing.assert_array_equal(sources.ravel(), np.arange(12))
    filled, sources = fill_ignored(image, np.ones((3, 4), bool))
    assert not filled.any()
    np.testing.assert_array_equal(sources.ravel(), np.arange(12))


def test_images_of_a_batch_are_filled_each_for_itself():
    images = np.stack([random_case(k, (2, 5, 7))[0] for k in range(3)])
    ignored = np.stack([random_case(k, (5, 7))[1] for k in range(3)])
    filled, sources = fill_batch(images, ignored)
    for b in range(3):
        for k in range(2):
            alone = fill_ignored(images[b, k], ignored[b])
            np.testing.assert_array_equal(filled[b, k], alone[0])
            np.testing.assert_array_equal(sources[b, k], alone[1])


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), shape=st.sampled_from(SHAPES))
def test_differences_move_to_labelled_pixels_that_differ(seed, shape):
    first, ignored = random_case(seed, shape)
    prediction, truth = first > 0.5, random_case(seed + 1, shape)[0] > 0.5
    filled, of_prediction = fill_ignored(prediction, ignored)
    wanted, of_truth = fill_ignored(truth, ignored)
    wrong = filled != wanted
    moved = to_labelled(wrong, wanted, of_prediction, of_truth)
    assert not (moved & ignored).any()
    assert (prediction != truth)[moved].all()
    assert moved.any() == wrong.any()
    np.testing.assert_array_equal(moved[~ignored], wrong[~ignored])
