"""Draw what was counted on real vessels, for chapter 13: ``python tools/draw_real_vessels.py``.

The volumes of ``vesselnn_3d`` are downloaded at first use. Their authors describe them as freely
available, but there is no licence, so no picture of the vessels is stored: only numbers are drawn,
births, deaths and sizes, as ``notebooks/images/13-real.png``. The chapter quotes some of them, and
``tests/workbook/test_prose.py`` looks after that.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import generate_binary_structure, label
from scipy.special import expit
from skimage.filters import gaussian

from toposeg_lite.data import load_dataset, synthetic
from toposeg_lite.files import write_atomically
from toposeg_lite.topology import PersistencePairs, betti_numbers, persistence_pairs
from toposeg_lite.workbook import figures

PICTURE = Path(__file__).resolve().parents[1] / "notebooks" / "images" / "13-real.png"
SPECK = 4  # voxels at most


def pieces() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return likelihood and truth of the two volumes of section 5, as its cells make them."""
    tubes = synthetic.tubes((32, 48, 48), seed=8, spacing=13, gaps=6)
    real = load_dataset("vesselnn_3d").train[3]
    found = {}
    for name, sample, corner in (("tubes", tubes, 0), ("real vessels", real, 200)):
        piece = np.s_[:32, corner : corner + 48, corner : corner + 48]
        volume = sample.image[0][piece] * 1.0
        contrast = gaussian(volume, 1) / gaussian(volume, 12)
        likelihood = expit((contrast - contrast.mean()) / contrast.std() - 2)
        found[name] = likelihood, sample.mask[piece]
    return found


def pairs_of(likelihood: np.ndarray) -> PersistencePairs:
    """Return the pairs that section 5 draws: 6 neighbours, persistence above .1."""
    return persistence_pairs(likelihood, connectivity=1, min_persistence=0.1)


def sizes() -> np.ndarray:
    """Return how many voxels each component of all expert masks has, with 26 neighbours."""
    data, found = load_dataset("vesselnn_3d"), []
    for sample in (*data.train, *data.validation, *data.test):
        parts = label(sample.mask, generate_binary_structure(3, 3))[0]
        found.append(np.bincount(parts.ravel())[1:])
    return np.concatenate(found)


def draw() -> Figure:
    """Return the picture: two diagrams, and the sizes of what experts have labelled."""
    figure = Figure(figsize=(12, 4.1), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax, (name, (likelihood, truth)) in zip(axes, pieces().items(), strict=False):
        figures.volume_diagram(pairs_of(likelihood), threshold=0.5, ax=ax)
        ax.set_title(f"{name}; tunnels of the truth: {betti_numbers(truth)[1]}")
    voxels = sizes()
    bins = np.r_[2.0 ** np.arange(0, np.ceil(np.log2(voxels.max())) + 1)]
    bins = np.unique(np.r_[bins[bins <= SPECK], SPECK + 1, bins[bins > SPECK + 1]])
    specks = voxels <= SPECK
    for some, colour, name in (
        (specks, figures.HOLE, f"at most {SPECK} voxels: {specks.sum()}"),
        (~specks, figures.COMPONENT, f"larger: {(~specks).sum()}"),
    ):
        axes[2].hist(voxels[some], bins, color=colour, label=name, edgecolor="white")
    axes[2].set(xscale="log", xlabel="voxels", ylabel="components")
    axes[2].set_title("components of the labels")
    axes[2].legend(loc="upper right", frameon=False)
    return figure


def main() -> int:
    """Write the picture."""
    write_atomically(PICTURE, figures.png(draw(), card=True))
    print(PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
