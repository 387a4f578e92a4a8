"""The one door to every data set."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from toposeg_lite.data import Dataset, Sample, list_datasets, load_dataset, photos, synthetic

SPLITS = ("train", "validation", "test")
BACKGROUND = {"brick", "membranes"}
OFFLINE = ("retina", "brick", "vessels", "membranes", "cracks", "roads", "lanes", "tubes")


@pytest.fixture(scope="module", params=OFFLINE)
def dataset(request):
    return load_dataset(request.param)


def samples(dataset):
    return [sample for split in SPLITS for sample in getattr(dataset, split)]


def test_the_names_are_listed():
    assert list_datasets() == [
        *OFFLINE,
        "topomortar",
        "chase_db1",
        "isbi2012_membranes",
        "crackforest",
        "epfl_roads",
        "vesselnn_3d",
        "betti_matching_examples",
    ]


def test_every_data_set_is_what_the_docstring_says(dataset):
    assert isinstance(dataset, Dataset)
    assert dataset.name in list_datasets()
    assert dataset.labels == ("background" if dataset.name in BACKGROUND else "foreground")
    photo = dataset.name in ("retina", "brick")
    assert dataset.reference == ("silver" if photo else "exact")
    assert ("CC0" in dataset.terms) == photo
    assert dataset.ndim == (3 if dataset.name == "tubes" else 2)
    for sample in samples(dataset):
        assert isinstance(sample, Sample)
        assert sample.image.dtype == np.float32
        assert sample.mask.dtype == np.bool_
        assert sample.image.shape == (dataset.channels, *sample.mask.shape)
        assert sample.mask.ndim == dataset.ndim
        assert sample.image.flags.c_contiguous
        assert sample.mask.flags.c_contiguous
        assert sample.image.flags.writeable
        assert sample.image.min() >= 0
        assert sample.image.max() <= 1
        assert min(sample.mask.shape) >= dataset.patch
        assert 0 < sample.mask.mean() < 0.5


def test_names_are_unique_and_no_two_samples_share_memory_or_content(dataset):
    everything = samples(dataset)
    assert len({sample.name for sample in everything}) == len(everything)
    for sample, other in combinations(everything, 2):
        assert not np.shares_memory(sample.image, other.image)
        assert sample.image.shape != other.image.shape or (sample.image != other.image).any()


def test_validation_and_test_are_large_enough(dataset):
    pixels = {split: sum(s.mask.size for s in getattr(dataset, split)) for split in SPLITS}
    assert pixels["validation"] >= 0.18 * sum(pixels.values())
    assert pixels["test"] >= 0.25 * sum(pixels.values())


@pytest.mark.parametrize("name", ["retina", "brick"])
def test_photographs_are_cut_at_the_documented_regions(name):
    photo = getattr(photos, name)()
    regions = getattr(photos, f"{name.upper()}_REGIONS")
    loaded = load_dataset(name)
    for split in SPLITS:
        cut = getattr(loaded, split)
        assert len(cut) == len(regions[split])
        for sample, (rows, columns) in zip(cut, regions[split], strict=True):
            np.testing.assert_array_equal(sample.image, photo.image[:, rows, columns])
            np.testing.assert_array_equal(sample.mask, photo.mask[rows, columns])


@pytest.mark.parametrize("name", ["cracks", "lanes"])
def test_the_seed_chooses_the_synthetic_images(name):
    first, same, other = (load_dataset(name, seed=seed) for seed in (1, np.int64(1), 2))
    assert [s.image.tobytes() for s in samples(first)] == [s.image.tobytes() for s in samples(same)]
    ours = {s.image.tobytes() for s in samples(first)}
    assert not ours & {s.image.tobytes() for s in samples(other)}


def test_the_seed_leaves_photographs_alone():
    first, other = load_dataset("brick"), load_dataset("brick", seed=7)
    assert [s.mask.tobytes() for s in samples(first)] == [s.mask.tobytes() for s in samples(other)]


def test_synthetic_samples_come_from_the_generator_of_that_name():
    stream = np.random.SeedSequence(4).spawn(1)[0]
    drawing = synthetic.lanes(seed=np.random.default_rng(stream))
    first = load_dataset("lanes", seed=4).train[0]
    np.testing.assert_array_equal(first.image, drawing.image)
    np.testing.assert_array_equal(first.mask, drawing.mask)
