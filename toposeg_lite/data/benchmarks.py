"""Seven public benchmarks with masks by experts: fetched once, checked, split without leaks.

None of the images belongs to this library or is part of it. Each comes from a public repository
at a pinned commit, under its own terms (`TERMS`), which are shown at first use.

Every function returns all images of its data set in memory, four bytes a value. The splits are
fixed: no person, no field of view and no slice has pixels in two of them, and slices that lie
beside each other are in one, except where two blocks of ISBI 2012 meet.

`root` is the folder of the files: see `toposeg_lite.data.download.data_folder`. Files that are
missing and cannot be downloaded raise OSError, a damaged one ValueError.

========================  =====================  ==========  ======================  ============
data set                  images                 megabytes   train/validation/test   in memory
========================  =====================  ==========  ======================  ============
topomortar                512 x 512, colour      51, and 19  50 / 20 / 50            0.41 GB
                                                 a group
chase_db1                 960 x 999, colour      3           16 / 4 / 8              0.35 GB
isbi2012_membranes        512 x 512, grey        6           19 / 6 / 5              0.04 GB
crackforest               320 x 480, colour      4           60 / 24 / 34            0.24 GB
epfl_roads                400 x 400, colour      34          60 / 20 / 20            0.21 GB
vesselnn_3d               volumes of 10 to 26    22          5 / 2 / 2               0.20 GB
                          slices, grey
betti_matching_examples   312 x 312, grey; or    1           0 / 0 / 3               0.01 GB
                          375 x 375, colour
========================  =====================  ==========  ======================  ============
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from ..checks import check_choice, check_flag, check_integer
from .download import fetch
from .reading import channels_first, read_array, to_likelihood
from .samples import Dataset, Sample

__all__ = [
    "TERMS",
    "betti_matching_examples",
    "chase_db1",
    "crackforest",
    "epfl_roads",
    "isbi2012_membranes",
    "topomortar",
    "vesselnn_3d",
]

Root = str | PathLike[str] | None

TERMS = {
    "topomortar": (
        "MIT licence, (c) 2025 J. Miguel Valverde. Cite: J. M. Valverde, M. Koga, N. Otsuka, "
        "A. B. Dahl, TopoMortar: A dataset to evaluate image segmentation methods focused on "
        "topology accuracy, 2025, arXiv:2503.03365."
    ),
    "chase_db1": (
        "CC BY 4.0, Kingston University and St George's, University of London. Cite: M. M. Fraz "
        "et al., An ensemble classification-based approach applied to retinal blood vessel "
        "segmentation, IEEE Transactions on Biomedical Engineering 59 (2012), "
        "doi:10.1109/TBME.2012.2205687."
    ),
    "isbi2012_membranes": (
        "For non-commercial research only. Cite: A. Cardona et al., An integrated micro- and "
        "macroarchitectural analysis of the Drosophila brain by computer-assisted serial section "
        "electron microscopy, PLoS Biology 8 (2010), doi:10.1371/journal.pbio.1000502."
    ),
    "crackforest": (
        "For non-commercial research only. Cite: Y. Shi, L. Cui, Z. Qi, F. Meng, Z. Chen, "
        "Automatic road crack detection using random structured forests, IEEE Transactions on "
        "Intelligent Transportation Systems 17 (2016), doi:10.1109/TITS.2016.2552248."
    ),
    "epfl_roads": (
        "No licence file: for research only, so ask before you pass it on. Images of the road "
        "segmentation project of EPFL's course CS-433, Machine Learning."
    ),
    "vesselnn_3d": (
        "Described by its authors as freely available; there is no licence file, so ask them "
        "before you pass it on. Cite: P. Teikari, M. Santos, C. Poon, K. Hynynen, Deep learning "
        "convolutional networks for multiphoton microscopy vasculature segmentation, 2016, "
        "arXiv:1606.02382."
    ),
    "betti_matching_examples": (
        "Part of a repository under the MIT licence; the images are excerpts of CREMI "
        "(cremi.org) and of the Massachusetts Roads data set (V. Mnih, PhD thesis, Toronto 2013). "
        "Cite: N. Stucki, J. C. Paetzold, S. Shit, B. Menze, U. Bauer, Topologically faithful "
        "image segmentation via induced matching of persistence barcodes, ICML 2023, "
        "arXiv:2211.15272."
    ),
}
"""The licence or condition of each data set, and what to cite."""


#: Of TopoMortar: the numbers of each group of test images, and the training set of ten.
_MORTAR_TEST = {
    "indistr": range(71, 121),
    "angles": range(121, 171),
    "colors": range(171, 221),
    "shadows": range(321, 371),
}
_MORTAR_TEN = (1, 9, 11, 24, 36, 41, 43, 45, 48, 49)


def topomortar(
    root: Root = None, *, labels: str = "accurate", training: int = 50, group: str = "indistr"
) -> Dataset:
    """Return TopoMortar: brick walls whose mortar is the structure.

    MIT licence [1]_. 512 x 512, colour. The splits are the authors': 50 images to train on (or 10
    of them), 20 to validate, and 50 test images of a group. They were chosen so that pixels are
    easy and topology is not: published Betti errors of eight losses exist for them.

    Parameters
    ----------
    labels : {"accurate", "noisy", "pseudo"}
        Which labels to train and validate with: accurate ones; noisy ones, which are crooked lines
        of a few pixels, mostly much thinner than the mortar they follow; or pseudo-labels, which
        have blots where a brick looks like mortar. The test masks are always accurate.
    training : {50, 10}
        How many images to train with; the 10 are the authors' small set.
    group : {"indistr", "angles", "colors", "shadows"}
        Which test images: walls like those it is trained with, or out of this distribution: seen
        at an angle, of other colours, or with shadows. A group is fetched when it is asked for
        (their groups with objects, graffiti and occlusions are not there).

    Returns
    -------
    Dataset
        Score it with labels of the background: the bricks.

    References
    ----------
    .. [1] J. M. Valverde, M. Koga, N. Otsuka, A. B. Dahl, "TopoMortar: A dataset to evaluate image
           segmentation methods focused on topology accuracy", 2025. arXiv:2503.03365

    Examples
    --------
    >>> walls = topomortar(labels="noisy", training=10)  # doctest: +SKIP
    >>> len(walls.train), walls.train[0].mask.shape  # doctest: +SKIP
    (10, (512, 512))
    """
    check_choice(labels, ("accurate", "noisy", "pseudo"), "labels")
    if check_integer(training, "training") not in (10, 50):
        raise ValueError(f"training must be 50 or 10; got {training}")
    check_choice(group, tuple(_MORTAR_TEST), "group")
    terms = TERMS["topomortar"]
    folder = fetch("topomortar", root, terms=terms) / "dataset"
    if group != "indistr":
        fetch(f"topomortar_{group}", root, terms=terms)

    def split(name: str, numbers: Iterable[int], kind: str) -> tuple[Sample, ...]:
        return _pairs(
            (
                f"{k:03d}",
                folder / name / "images" / f"{k:03d}.png",
                folder / name / kind / f"{k:03d}.png",
            )
            for k in numbers
        )

    return _expert(
        "topomortar",
        split("train", range(1, 51) if training == 50 else _MORTAR_TEN, labels),
        split("val", range(51, 71), labels),
        split("test", _MORTAR_TEST[group], "accurate"),
        labels="background",
    )


def chase_db1(root: Root = None, *, observer: int = 1) -> Dataset:
    """Return CHASE_DB1: the vessels of both eyes of 14 children, drawn by two observers.

    CC BY 4.0 [1]_. 28 fundus photographs, 960 rows by 999 columns, colour. The split is by person,
    since both eyes of one are alike: persons 1 to 8 train, 9 and 10 validate, 11 to 14 test. So
    the test images are the last eight, as many papers have it.

    Fine vessels are drawn corner to corner: with connectivity 2 the masks have 82 components in
    all, with connectivity 1 they would fall into 9921. Of 432 holes 62 have at most four pixels.

    Parameters
    ----------
    observer : {1, 2}
        Whose masks to use. The two disagree about many fine vessels, which shows how far a
        comparison can go.

    Returns
    -------
    Dataset
        Samples are named "01L" to "14R". Score it with labels of the foreground.

    References
    ----------
    .. [1] M. M. Fraz et al., "An ensemble classification-based approach applied to retinal blood
           vessel segmentation", IEEE Transactions on Biomedical Engineering 59 (2012).
           doi:10.1109/TBME.2012.2205687

    Examples
    --------
    >>> eyes = chase_db1(observer=2)  # doctest: +SKIP
    >>> [sample.name for sample in eyes.validation]  # doctest: +SKIP
    ['09L', '09R', '10L', '10R']
    """
    check_integer(observer, "observer", 1, 2)
    folder = fetch("chase_db1", root, terms=TERMS["chase_db1"]) / "CHASEDB1"
    ending = {1: "1stHO", 2: "2ndHO"}[observer]

    def split(persons: range) -> tuple[Sample, ...]:
        eyes = [f"{person:02d}{side}" for person in persons for side in "LR"]
        return _pairs(
            (eye, folder / f"Image_{eye}.jpg", folder / f"Image_{eye}_{ending}.png") for eye in eyes
        )

    return _expert(
        "chase_db1", split(range(1, 9)), split(range(9, 11)), split(range(11, 15)), "foreground"
    )


def isbi2012_membranes(root: Root = None) -> Dataset:
    """Return the training stack of the ISBI 2012 challenge: cell membranes in a fly's nerve cord.

    For non-commercial research only; cite [1]_. 30 electron micrographs, 512 x 512, grey, of
    neighbouring slices of one block of tissue. In the files membranes are 0; here they are True.

    The splits are blocks of the stack: slices 0 to 18 train, 19 to 24 validate, 25 to 29 test. A
    slice resembles its neighbours a little, so whoever wants to be strict leaves out 18 and 24.

    Returns
    -------
    Dataset
        Samples are named "slice-00" to "slice-29". Score it with labels of the background: the
        cells.

    References
    ----------
    .. [1] A. Cardona et al., "An integrated micro- and macroarchitectural analysis of the
           Drosophila brain by computer-assisted serial section electron microscopy", PLoS Biology
           8 (2010). doi:10.1371/journal.pbio.1000502

    Examples
    --------
    >>> cells = isbi2012_membranes()  # doctest: +SKIP
    >>> len(cells.train), len(cells.validation), len(cells.test)  # doctest: +SKIP
    (19, 6, 5)
    """
    name = "isbi2012_membranes"
    folder = fetch(name, root, terms=TERMS[name]) / "data" / "membrane" / "train"

    def split(slices: range) -> tuple[Sample, ...]:
        return _pairs(
            (
                (f"slice-{k:02d}", folder / "image" / f"{k}.png", folder / "label" / f"{k}.png")
                for k in slices
            ),
            lambda path: read_array(path) == 0,
        )

    return _expert(
        name, split(range(19)), split(range(19, 25)), split(range(25, 30)), labels="background"
    )


# By the last digit of a photograph's number: the plain cracks come first in the numbering and the
# nets last, so blocks would differ in kind. 001 and 095 show the same crack twice; both train.
_CRACK_DIGITS = {"train": "12457", "validation": "38", "test": "069"}


def crackforest(root: Root = None, *, strands: bool = False) -> Dataset:
    """Return CrackForest: cracks in the asphalt of Beijing, photographed by telephone.

    For non-commercial research only; cite [1]_. 118 photographs with masks, 320 rows by 480
    columns, colour. Cracks are a few pixels wide. The mask of photograph 042 is a copy of that of
    065 and shows nothing that is in it: a fault of the data set, in the training images.

    The files hold labels, not masks. 1 is asphalt and 2 is crack. In 22 files 3 fills regions that
    a crack encloses: as crack it would destroy the loops. In 5 files (084, 102, 107, 111, 117) 4
    marks more strands of crack, apart from the others. Of 316 components 44, and of 119 holes 28,
    have at most four pixels (label 2 alone, connectivity 2).

    The splits go by the last digit of the photograph's number: 1, 2, 4, 5, 7 train, 3 and 8
    validate, 0, 6, 9 test.

    Parameters
    ----------
    strands : bool
        Whether label 4 is crack too. Without it the masks lack cracks that one can see in those
        five photographs.

    Returns
    -------
    Dataset
        Samples are named "001" to "118". Score it with labels of the foreground.

    References
    ----------
    .. [1] Y. Shi, L. Cui, Z. Qi, F. Meng, Z. Chen, "Automatic road crack detection using random
           structured forests", IEEE Transactions on Intelligent Transportation Systems 17 (2016).
           doi:10.1109/TITS.2016.2552248

    Examples
    --------
    >>> asphalt = crackforest(strands=True)  # doctest: +SKIP
    >>> asphalt.train[0].name, asphalt.train[0].image.shape  # doctest: +SKIP
    ('001', (3, 320, 480))
    """
    check_flag(strands, "strands")
    wanted = (2, 4) if strands else (2,)
    folder = fetch("crackforest", root, terms=TERMS["crackforest"])

    def split(digits: str) -> tuple[Sample, ...]:
        numbers = [f"{k:03d}" for k in range(1, 119) if str(k)[-1] in digits]
        return _pairs(
            (
                (k, folder / "image" / f"{k}.jpg", folder / "groundTruth" / f"{k}.mat")
                for k in numbers
            ),
            lambda path: np.isin(loadmat(path)["groundTruth"]["Segmentation"][0, 0], wanted),
        )

    splits = {name: split(digits) for name, digits in _CRACK_DIGITS.items()}
    return _expert("crackforest", **splits, labels="foreground")


def epfl_roads(root: Root = None) -> Dataset:
    """Return aerial photographs of suburbs with masks of their roads.

    From the machine learning course CS-433 of EPFL; there is no licence file, so for research only
    and not to be passed on. 100 photographs of 400 x 400 pixels, colour. The files of the masks
    hold grey values, antialiased and with traces of compression (23 % of the pixels are neither 0
    nor 255); road is what has 128 or more. Some trees hide the road below them, and the masks go
    on through them; parking lots are mostly left out.

    The splits are blocks of the numbering, 1 to 60, 61 to 80 and 81 to 100: whatever neighbours
    have in common stays in one split but at two seams. No two photographs show the same place.

    Returns
    -------
    Dataset
        Samples are named "001" to "100". Score it with labels of the foreground.

    Examples
    --------
    >>> roads = epfl_roads()  # doctest: +SKIP
    >>> len(roads.train), roads.train[0].image.shape  # doctest: +SKIP
    (60, (3, 400, 400))
    """
    folder = fetch("epfl_roads", root, terms=TERMS["epfl_roads"]) / "data" / "training"

    def split(numbers: range) -> tuple[Sample, ...]:
        files = [(f"{k:03d}", f"satImage_{k:03d}.png") for k in numbers]
        return _pairs(
            ((k, folder / "images" / file, folder / "groundtruth" / file) for k, file in files),
            lambda path: read_array(path) >= 128,
        )

    return _expert(
        "epfl_roads", split(range(1, 61)), split(range(61, 81)), split(range(81, 101)), "foreground"
    )


# The image file, then the mask file, of each volume.
_VESSELS = {
    "train": {
        "burgess2014_lowerRes_hiSNR": "labels_v1",
        "burgess2014_noisySparseVessels": "labels_v1",
        "poon2015_BBB_Leakage": "manualLabels_v2",
        "poon2015_BBB_noLeakage": "manualLabel_v2",
        "poon2015_plaqueVessels": "label_underSegmented",
    },
    "validation": {
        "burgess2014_bbbDisruption": "labels_v1",
        "burgess2014_tgMouse": "labels_v1",
    },
    "test": {
        "santos2015_lowContrastVessels": "labelsMarc",
        "santos2015_mixedSizelowContrastVessels": "labelsMarc",
    },
}


def vesselnn_3d(root: Root = None) -> Dataset:
    """Return vesselNN: blood vessels of mouse brains and tumours in two-photon volumes.

    Described as freely available, without a licence file; cite [1]_. 9 volumes of 10 to 26 slices
    of 512 x 512 (one of 320 x 320), grey, denoised by the authors. Voxels are much deeper than
    wide. In two files the masks hold 0 and 254, in the others 0 and 255; here all are boolean. Of
    565 components (connectivity 3) 47, and all 9 cavities, are specks of at most four voxels.

    The splits are by field of view: the two volumes "poon2015_BBB" show the same field (shifted by
    five pixels, with and without leakage), and the two "santos2015" come from one acquisition, so
    each pair stays together. Validation and test hold wide and fine vessels. The mask of
    "poon2015_plaqueVessels" is called under-segmented by its authors; it is in the training split.

    Returns
    -------
    Dataset
        Images (1, D, H, W), named like their files. Score it with labels of the foreground.

    References
    ----------
    .. [1] P. Teikari, M. Santos, C. Poon, K. Hynynen, "Deep learning convolutional networks for
           multiphoton microscopy vasculature segmentation", 2016. arXiv:1606.02382

    Examples
    --------
    >>> vessels = vesselnn_3d()  # doctest: +SKIP
    >>> vessels.ndim, vessels.validation[0].image.shape  # doctest: +SKIP
    (3, (1, 15, 512, 512))
    """
    folder = fetch("vesselnn_3d", root, terms=TERMS["vesselnn_3d"])
    splits = {
        split: _pairs(
            (
                name,
                folder / "denoised" / f"{name}_BM4D_denoised.tif",
                folder / "labels" / f"{name}_{ending}.tif",
            )
            for name, ending in volumes.items()
        )
        for split, volumes in _VESSELS.items()
    }
    return _expert("vesselnn_3d", **splits, labels="foreground")


def betti_matching_examples(root: Root = None, *, kind: str = "cremi") -> Dataset:
    """Return the example images of the Betti matching paper: to look at, too few to train with.

    In a repository under the MIT licence; cite [1]_ and the sources of the images, CREMI and
    Massachusetts Roads. All images are in the test split: the three of CREMI are slices of one
    block of tissue, so they could not be split without leaking.

    Parameters
    ----------
    kind : {"cremi", "roads"}
        Three electron micrographs (312 x 312, grey; membranes, scored with labels of the
        background), or three aerial photographs (375 x 375, colour; roads, foreground).

    Returns
    -------
    Dataset
        Samples are named by their numbers, for example "0114".

    References
    ----------
    .. [1] N. Stucki, J. C. Paetzold, S. Shit, B. Menze, U. Bauer, "Topologically faithful image
           segmentation via induced matching of persistence barcodes", ICML 2023. arXiv:2211.15272

    Examples
    --------
    >>> roads = betti_matching_examples(kind="roads")  # doctest: +SKIP
    >>> [sample.name for sample in roads.test]  # doctest: +SKIP
    ['0111', '0113', '0122']
    """
    check_choice(kind, ("cremi", "roads"), "kind")
    name = "betti_matching_examples"
    part, numbers, labels = {
        "cremi": ("CREMI", ("0114", "0117", "0123"), "background"),
        "roads": ("roads", ("0111", "0113", "0122"), "foreground"),
    }[kind]
    folder = fetch(name, root, terms=TERMS[name]) / "data_examples" / part
    images = _pairs(
        (k, folder / "images" / f"image_{k}.png", folder / "labels" / f"label_{k}.png")
        for k in numbers
    )
    return _expert(name, (), (), images, labels)


def _nonzero(path: Path) -> np.ndarray:
    """Read a mask whose structure is all but 0."""
    return read_array(path) != 0


def _pairs(
    files: Iterable[tuple[str, Path, Path]], mask: Callable[[Path], np.ndarray] = _nonzero
) -> tuple[Sample, ...]:
    """Read the samples of a split from (name, image file, mask file)."""
    samples = []
    for name, image_file, mask_file in files:
        truth = mask(mask_file)
        image = channels_first(to_likelihood(read_array(image_file)), truth.ndim)
        samples.append(Sample(name, image, truth))
    return tuple(samples)


def _expert(
    name: str,
    train: tuple[Sample, ...],
    validation: tuple[Sample, ...],
    test: tuple[Sample, ...],
    labels: Any,
) -> Dataset:
    """Put a data set with masks by experts together."""
    patch = 64 if test[0].mask.ndim == 2 else 32
    return Dataset(name, train, validation, test, labels, "expert", patch, TERMS[name])
