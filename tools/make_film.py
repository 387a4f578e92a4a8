"""Make the film at the top of the README: ``python tools/make_film.py``.

The likelihood of a vessel with a gap goes down the topological loss, step by step, without any
network: the logits themselves are changed. It is the photograph and the gap of chapter 03.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from toposeg_lite.data import photos
from toposeg_lite.files import write_atomically
from toposeg_lite.losses import TopologicalLoss
from toposeg_lite.topology import label_components
from toposeg_lite.workbook.figures import COMPONENT, HOLE, LOWERED, RAISED

FILE = Path(__file__).parents[1] / "notebooks" / "images" / "readme.gif"
STEPS, RATE = 40, 10.0
INK, PAPER = "#20262d", "#ffffff"


def vessel_with_a_gap() -> tuple[np.ndarray, np.ndarray]:
    """Return a likelihood of 96 x 96 pixels, made by filters, and the truth."""
    photo = photos.retina()
    green = photo.image[1].astype(float)
    field = (gaussian_filter(green, 20) > 0.22).astype(float)
    covered = np.maximum(gaussian_filter(field, 24), 1e-6)
    background = gaussian_filter(green * field, 24) / covered
    contrast = (background - gaussian_filter(green, 3)) * field
    likelihood = field * expit(1.5 * contrast / contrast[field > 0].std() - 2)
    window = slice(1088, 1280, 2), slice(400, 592, 2)
    rows, columns = np.indices((96, 96))
    distance = (rows - 39) ** 2 + (columns - 48) ** 2
    likelihood = likelihood[window] * (1 - 0.75 * np.exp(-distance / 18))
    return likelihood, photo.mask[window]


def descent(likelihood: np.ndarray, truth: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the likelihood at each step, and where the loss raises (+1) and lowers (-1) it."""
    loss = TopologicalLoss(min_persistence=0.1, reduction="sum")
    target = torch.from_numpy(truth)[None]
    clipped = torch.from_numpy(likelihood).clamp(1e-4, 1 - 1e-4)
    logits = clipped.logit()[None, None].requires_grad_()
    states = []
    for _ in range(STEPS + 1):
        loss(logits, target).backward()
        gradient = logits.grad[0, 0].numpy().copy()
        states.append((logits.detach().sigmoid()[0, 0].numpy(), -np.sign(gradient)))
        with torch.no_grad():
            logits -= RATE * logits.grad
        logits.grad = None
    return states


def parts(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Return a picture of a mask, its largest component blue, others orange; and their number."""
    numbers, count = label_components(mask)
    picture = np.ones((*mask.shape, 3))
    sizes = np.bincount(numbers.ravel())[1:]
    for number in range(1, count + 1):
        colour = COMPONENT if number == 1 + sizes.argmax() else HOLE
        picture[numbers == number] = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return picture, count


def frame(step: int, likelihood: np.ndarray, pull: np.ndarray, truth: np.ndarray) -> Image.Image:
    """Return one picture of the film."""
    figure = Figure(figsize=(10.8, 4.1), facecolor=PAPER)
    left, middle, right = figure.subplots(1, 3)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.13, top=0.9, wspace=0.04)
    left.imshow(likelihood, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    for sign, marker, colour in ((1, "^", RAISED), (-1, "v", LOWERED)):
        rows, columns = np.nonzero(pull == sign)
        left.plot(columns, rows, marker, color=colour, ms=7, mec="white", mew=0.6)
    picture, count = parts(likelihood >= 0.5)
    wanted, least = parts(truth)
    middle.imshow(picture, interpolation="nearest")
    right.imshow(wanted, interpolation="nearest")
    titles = "likelihood", f"mask at .5: {count} components", f"truth: {least} components"
    for ax, title in zip((left, middle, right), titles, strict=True):
        ax.set_title(title, fontsize=15, color=INK)
        ax.set(xticks=[], yticks=[])
    text = f"step {step:2d} of {STEPS}: the loss raises (green) and lowers (pink) a few pixels"
    figure.text(0.02, 0.035, text, fontsize=15, color=INK)
    file = io.BytesIO()
    figure.savefig(file, dpi=80, facecolor=PAPER)
    return Image.open(file).convert("RGB")


def colours() -> list[tuple[int, ...]]:
    """Return one palette for all pictures, so that nothing flickers: greys, and each colour."""
    greys = [(level, level, level) for level in np.linspace(0, 255, 40).astype(int).tolist()]
    mixed = []
    for colour in (COMPONENT, HOLE, RAISED, LOWERED, INK):
        own = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
        for share in (1, 0.75, 0.5, 0.25):  # its edges, in white and in black
            mixed.append(tuple((share * own + (1 - share) * 255).astype(int).tolist()))
            mixed.append(tuple((share * own).astype(int).tolist()))
    return [*greys, *mixed]


def main() -> None:
    """Write the film."""
    likelihood, truth = vessel_with_a_gap()
    frames = [
        frame(step, image, pull, truth)
        for step, (image, pull) in enumerate(descent(likelihood, truth))
    ]
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in colours() for value in colour])
    few = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [1800, *[140] * (STEPS - 1), 3500]
    film = io.BytesIO()
    few[0].save(film, "GIF", save_all=True, append_images=few[1:], duration=durations, loop=0,
                optimize=True)  # fmt: skip
    write_atomically(FILE, film.getvalue())
    print(f"{FILE.name}: {len(few)} pictures, {len(film.getvalue()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
