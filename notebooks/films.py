"""Make the films of the chapters: ``python notebooks/films.py [NN ...]``.

Where movement is the idea, a chapter has a short film beside its still pictures: a GIF that plays
three times and stops (``images/NN-film.gif``), and, for those who want nothing to move and for
print, four of its frames in one picture (``images/NN-film.png``). The same code gives the same
bytes: no chance, no clock; `python notebooks/films.py --check` tells which are out of step.

==  ==========================================================================
02  the threshold falls over a photograph, and the dots of its diagram fill
03  a topological loss moves a likelihood, step by step
04  a mask creeps to its target and never tears
05  two V-paths climb from each pass of the 5x5 image
08  answers of an annotator, a vessel that is added, and one that is drawn
==  ==========================================================================
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from toposeg_lite import annotation, explorers, figures
from toposeg_lite.data import photos
from toposeg_lite.files import write_atomically
from toposeg_lite.losses import TopologicalLoss
from toposeg_lite.structures import load_pretrained
from toposeg_lite.topology import betti_numbers, morse_complex, persistence_pairs
from toposeg_lite.workbook.figures.words import count

HERE = Path(__file__).resolve().parent
LIMIT = 300_000  # bytes of a film
COLOURS = 64
TIMES = 3  # a film plays so often, and then stands still on its last frame
WORDS = {"fontsize": 14}

#: A frame and how long it stands, in milliseconds.
Frames = Iterator[tuple[Figure, int]]


def _two(height: float = 4.1) -> tuple[Figure, list]:
    """Return a figure with two panels and room for a sentence above them."""
    figure = Figure(figsize=(7.6, height))
    figure.subplots_adjust(left=0.08, right=0.985, bottom=0.21, top=0.9, wspace=0.2)
    return figure, list(figure.subplots(1, 2))


def _counted(mask: np.ndarray) -> str:
    components, holes = betti_numbers(mask)
    return f"{count(components, 'component')}, {count(holes, 'hole')}"


def _crop() -> tuple[np.ndarray, np.ndarray]:
    """Return the likelihood with a dim spot, and the truth, of chapters 03, 04 and 06."""
    photo, window = photos.retina(), np.s_[800:1312:2, 240:752:2]
    vessels, mask = photos.vesselness(photo.image)[window], photo.mask[window] != 0
    spot = ((np.indices((256, 256)).T - (183, 128)) ** 2).sum(-1).T
    vessels *= 1 - 0.75 * np.exp(-spot / 18)
    return vessels[144:240, 86:182], mask[144:240, 86:182]


def threshold_falls() -> Frames:
    """Film of chapter 02."""
    image = photos.vesselness(photos.retina().image)[800:1312:2, 240:752:2][90:218, 10:138]
    pairs = persistence_pairs(image)
    for t in np.arange(0.95, 0.14, -0.05).round(2):
        figure, (left, right) = _two()
        figures.image_with_pairs(image, threshold=float(t), ax=left)
        figures.persistence_diagram(pairs, threshold=float(t), title="", ax=right)
        figure.suptitle(f"threshold {t:.2f}: {_counted(image >= t)}", **WORDS)
        yield figure, 450


def steps_of_a_loss() -> Frames:
    """Film of chapter 03."""
    crop, truth = _crop()
    loss = {"rank": TopologicalLoss(matching="rank", min_persistence=0.1)}
    play = explorers.GradientExplorer(crop, truth, loss, steps=40, rate=10.0, min_persistence=0.1)
    for step in (*range(13), 16, 20, 26, 32, 40):
        play.step = step
        figure, (left, right) = _two()
        figures.image_with_pull(play.image, play.pull, truth=truth, ax=left)
        pairs = persistence_pairs(play.image, min_persistence=0.1)
        figures.persistence_diagram(pairs, threshold=0.5, title="", ax=right)
        words = (
            f"step {step}: loss {play.values[step]:.3f}, at one half {_counted(play.image >= 0.5)}"
        )
        figure.suptitle(words, **WORDS)
        yield figure, 450


def warp_creeps() -> Frames:
    """Film of chapter 04."""
    crop, truth = _crop()
    warp = explorers.WarpExplorer(crop, truth, threshold=0.5)
    flips = len(warp.order)
    for step in np.linspace(0, flips, 22).astype(int).tolist():
        warp.step = step
        figure = Figure(figsize=(4.9, 5.4))
        figure.subplots_adjust(left=0.12, right=0.98, bottom=0.2, top=0.92)
        at_the_end = warp.critical if step == flips else np.zeros_like(truth)
        figures.warp_masks(warp.now, warp.goal, critical=at_the_end, ax=figure.subplots())
        figure.suptitle(f"{step} flips: still {_counted(warp.now)}", **WORDS)
        yield figure, 350


IMAGE = np.array(
    [
        [0.9, 0.8, 0.4, 0.0, 0.0],
        [0.7, 0.2, 0.8, 0.0, 0.0],
        [0.8, 0.5, 0.7, 0.1, 0.0],
        [0.0, 0.0, 0.1, 0.3, 0.6],
        [0.0, 0.0, 0.0, 0.4, 0.7],
    ]
)


def _arrows(image: np.ndarray) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return, of each pixel that is no peak, the pixel and the highest neighbour before it."""
    order = sorted(np.ndindex(image.shape), key=lambda p: -image[p])
    found = []
    for k, p in enumerate(order):
        near = [q for q in order[:k] if max(abs(p[0] - q[0]), abs(p[1] - q[1])) == 1]
        found += [(p, near[0])] if near else []
    return found


def paths_climb() -> Frames:
    """Film of chapter 05."""
    arrows = _arrows(IMAGE)
    branches = morse_complex(IMAGE).branches()
    marked = np.zeros(IMAGE.shape, bool)
    for k in np.argsort(-IMAGE.ravel()[branches.saddle], kind="stable"):
        path = [divmod(int(p), 5) for p in branches.paths[k]]
        start = divmod(int(branches.saddle[k]), 5)
        low = path.index(start)
        arms = path[low::-1], path[low::1]
        # One arm leaves along the arrow of the pass, the other one over its critical edge.
        over = next(arm[1] for arm in arms if (start, arm[1]) not in arrows)
        edge = (start, over)
        values = f"from the pass {IMAGE[start]:.1f}".replace("0.", ".")
        for reach in range(1, max(map(len, arms)) + 1):
            now = marked.copy()
            for arm in arms:
                now[tuple(np.transpose(arm[:reach]))] = True
            yield _field(arrows, [edge], now, f"{values} two paths climb"), 500
        marked = now
    yield _field(arrows, [], marked, "all branches together: the ridges"), 1500


def _field(arrows: list, critical: list, mask: np.ndarray, words: str) -> Figure:
    figure = Figure(figsize=(4.4, 4.6))
    figure.subplots_adjust(left=0.12, right=0.98, bottom=0.11, top=0.9)
    figures.gradient_field(IMAGE, arrows, critical, mask=mask, ax=figure.subplots())
    figure.suptitle(words, **WORDS)
    return figure


def answers_and_a_line() -> Frames:
    """Film of chapter 08."""
    torch.set_num_threads(1)  # so that the number of cores changes no digit
    photo, window = photos.retina(), np.s_[800:1056, 240:496]
    image, truth = photo.image[:, *window].copy(), photo.mask[window]
    session = annotation.AnnotationSession(
        image, annotation.StructureRanking(load_pretrained()), radius=2.0
    )
    real = annotation.judge_branches(session, truth, tolerance=1)

    def frame(words: str, chosen: int | None = None) -> Figure:
        figure = figures.annotation_summary(session, chosen=chosen)
        figure.subplots_adjust(top=0.84)
        figure.suptitle(words, **WORDS)
        return figure

    for answer in range(6):
        asked = session.queue("doubt")[0]
        said = "yes" if real[asked] else "no"
        yield frame(f"question {answer + 1}: is the framed branch a vessel? {said}", asked), 1000
        (session.accept if real[asked] else session.reject)(asked)
    # The branches through these pixels: a real vessel of which the model thinks little.
    for pixel in ((85, 205), (93, 240)):
        lacking = session.nearest(pixel)
        yield frame("the mask lacks a vessel: a click on its branches", lacking), 1200
        session.accept(lacking)
    yield frame("now the mask has it"), 1500
    session.draw([(0, 219), (12, 231)])
    yield frame("a vessel that no branch proposes: two clicks draw it"), 2000


FILMS: dict[str, Callable[[], Frames]] = {
    "02": threshold_falls,
    "03": steps_of_a_loss,
    "04": warp_creeps,
    "05": paths_climb,
    "08": answers_and_a_line,
}


def film(number: str) -> dict[str, bytes]:
    """Return the film of a chapter and its still, by the names of their files."""
    pictures, times = [], []
    for figure, milliseconds in FILMS[number]():
        drawn = io.BytesIO(figures.png(figure, dpi=90, card=True, trim=False))  # all alike in size
        pictures.append(Image.open(drawn).convert("RGB"))
        times.append(milliseconds)
    times[0], times[-1] = 1200, 2500
    return {f"{number}-film.gif": gif(pictures, times), f"{number}-film.png": still(pictures)}


def gif(pictures: list[Image.Image], times: list[int]) -> bytes:
    """Return a GIF of pictures that all have the same few colours."""
    width, height = pictures[0].size
    sheet = Image.new("RGB", (width, height * len(pictures)))
    for k, picture in enumerate(pictures):
        sheet.paste(picture, (0, k * height))
    few = sheet.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=1)
    frames = [picture.quantize(palette=few, dither=Image.Dither.NONE) for picture in pictures]
    made = io.BytesIO()
    frames[0].save(
        made, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=TIMES - 1
    )
    return made.getvalue()


def still(pictures: list[Image.Image]) -> bytes:
    """Return four frames in one picture, in two rows, from the first to the last."""
    width, height = pictures[0].size
    chosen = np.linspace(0, len(pictures) - 1, 4).round().astype(int)
    sheet = Image.new("RGB", (2 * width, 2 * height))
    for place, k in enumerate(chosen):
        sheet.paste(pictures[k], (place % 2 * width, place // 2 * height))
    made = io.BytesIO()
    few = sheet.quantize(128, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.save(made, "PNG", optimize=True)
    return made.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Write the films, or tell which differ from what this file makes."""
    parser = argparse.ArgumentParser(description="Make the films of the chapters.")
    parser.add_argument("chapters", nargs="*", help=f"of {', '.join(FILMS)}; default: all")
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if one differs")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.chapters) - set(FILMS))
    if unknown:
        parser.error(f"no film of {', '.join(unknown)}; there are {', '.join(FILMS)}")
    stale = []
    for number in options.chapters or FILMS:
        for name, content in film(number).items():
            file = HERE / "images" / name
            if options.check:
                stale += [name] if not file.exists() or file.read_bytes() != content else []
                continue
            write_atomically(file, content)
            print(f"{name}: {len(content) / 1000:.0f} kB")
    for name in stale:
        print(f"{name} is not in step: run `python notebooks/films.py`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
