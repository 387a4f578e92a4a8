"""Films of the chapters: small, said in words, they stop, and there is a still of each."""

from __future__ import annotations

import importlib.util
import io
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SPEC = importlib.util.spec_from_file_location("films", NOTEBOOKS / "films.py")
films = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(films)


def of(number, ending):
    return NOTEBOOKS / "images" / f"{number}-film.{ending}"


def test_the_films_are_those_that_are_made():
    stored = {path.name[:2] for path in (NOTEBOOKS / "images").glob("*-film.gif")}
    assert stored == set(films.FILMS)


@pytest.mark.parametrize("number", films.FILMS)
def test_a_film_is_small_and_stops(number):
    assert of(number, "gif").stat().st_size < films.LIMIT
    assert of(number, "png").stat().st_size < films.LIMIT
    pictures, seconds = [], 0
    with Image.open(of(number, "gif")) as film:
        assert 8 <= film.n_frames <= 40
        assert film.info["loop"] == films.TIMES - 1 < 5  # of GIF: how often again
        for frame in range(film.n_frames):
            film.seek(frame)
            seconds += film.info["duration"] / 1000
            assert film.info["duration"] >= 300  # nothing flickers
            pictures.append(np.asarray(film.convert("RGB"), float))
        width, height = film.size
    assert 4 <= seconds <= 20
    assert all(np.any(one != two) for one, two in pairwise(pictures))
    with Image.open(of(number, "png")) as still:
        assert still.size == (2 * width, 2 * height)
        last = np.asarray(still.convert("RGB"), float)[height:, width:]
    assert np.abs(last - pictures[-1]).mean() < 6  # of 255: other palettes


@pytest.mark.parametrize("number", films.FILMS)
def test_a_chapter_says_its_film_in_words_and_shows_its_still(number):
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    text = "\n".join(
        cell.source for cell in nbformat.read(path, as_version=4).cells if "film" in cell.source
    )
    words = re.search(rf"!\[(.*?)\]\(images/{number}-film\.gif\)", text)[1]
    assert len(words) > 100
    assert f"](images/{number}-film.png)" in text


def test_paths_climb_the_arrows_and_end_at_peaks():
    """The film of chapter 05 is made anew: the same bytes, and what is yellow only grows."""
    made = films.film("05")
    assert made["05-film.gif"] == films.film("05")["05-film.gif"]
    with Image.open(io.BytesIO(made["05-film.gif"])) as film, Image.open(of("05", "gif")) as old:
        assert film.n_frames == old.n_frames
    arrows = dict(films._arrows(films.IMAGE))
    peaks = set(np.ndindex(films.IMAGE.shape)) - set(arrows)
    assert peaks == {(0, 0), (2, 0), (4, 4)}
    for start, stop in arrows.items():
        near = [
            (start[0] + i, start[1] + j)
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            if 0 <= start[0] + i < 5 and 0 <= start[1] + j < 5
        ]
        assert films.IMAGE[stop] == max(films.IMAGE[p] for p in near)


@pytest.mark.nightly
@pytest.mark.parametrize("number", films.FILMS)
def test_the_stored_films_are_what_the_command_makes(number):
    for name, content in films.film(number).items():
        assert (NOTEBOOKS / "images" / name).read_bytes() == content, name


def test_an_unknown_film_is_refused(capsys):
    with pytest.raises(SystemExit):
        films.main(["99"])
    assert "no film of 99" in capsys.readouterr().err
