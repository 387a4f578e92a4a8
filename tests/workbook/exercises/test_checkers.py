"""Checkers: the reference passes, the stub is neutral, wrong answers get hints of their own.

The answers stand in `answers_NN.py`, a file for each chapter: `RIGHT` holds one answer to each
exercise, `WRONG` several, each with a word of the hint that has to name the misconception.
"""

from __future__ import annotations

import itertools
from importlib import import_module
from pathlib import Path

import gudhi
import numpy as np
import pytest
import torch
from screens import drawn

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.losses import MorseLoss, topological_loss
from toposeg_lite.topology import match_pairs, morse_complex
from toposeg_lite.workbook.exercises import (
    DOUBTFUL_WALL,
    DOUBTFUL_WALL_TRUTH,
    PENCIL_DIFFERENCES,
    PENCIL_IMAGE,
    PENCIL_PASS,
    PENCIL_PASS_TRUTH,
    PENCIL_QUEUE,
    PENCIL_RIDGE,
    PENCIL_ROW,
    PENCIL_STRIP,
    PENCIL_STRIP_TRUTH,
    PENCIL_TASKS,
    PENCIL_VOLUME,
    check,
    checking,
)
from toposeg_lite.workbook.studies.statistics import sign_flip_test

FILES = sorted(path.stem for path in Path(__file__).parent.glob("answers_*.py"))
CHAPTERS = [import_module(f"workbook.exercises.{name}") for name in FILES]
RIGHT = {number: answer for chapter in CHAPTERS for number, answer in chapter.RIGHT.items()}
WRONG = {number: answers for chapter in CHAPTERS for number, answers in chapter.WRONG.items()}


def test_every_exercise_has_its_answers():
    assert set(checking._CHECKERS) == set(RIGHT) == set(WRONG)
    for name, chapter in zip(FILES, CHAPTERS, strict=True):
        assert {number[:2] for number in chapter.RIGHT} == {name[-2:]}


@pytest.mark.parametrize("number", RIGHT)
def test_the_reference_passes(number):
    assert check(number, RIGHT[number]).status == "correct"


@pytest.mark.parametrize("number", RIGHT)
def test_a_stub_is_neutral(number):
    stubs = [None]
    if callable(RIGHT[number]):
        stubs.append(lambda *arguments, **options: None)
    for stub in stubs:
        verdict = check(number, stub)
        assert verdict.status == "not attempted"
        assert repr(verdict).startswith(f"{number} not attempted. ")


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [(number, *case) for number, cases in WRONG.items() for case in cases],
)
def test_wrong_answers_get_the_hint_that_fits(number, answer, word):
    verdict = check(number, answer)
    assert verdict.status == "not yet"
    assert word in verdict.text


@pytest.mark.parametrize("number", WRONG)
def test_hints_differ(number):
    hints = {word: check(number, answer).text for answer, word in WRONG[number]}
    assert len(hints) >= 2
    assert len(set(hints.values())) == len(hints)


# --- What single checkers take, and whether the library agrees with them ------------------------


def test_answers_of_other_kinds_are_taken():
    assert check("01.1", [[3, 3], np.array([6, 1])]).status == "correct"
    assert check("01.2", [mask.astype(int).tolist() for mask in RIGHT["01.2"]]).status == "correct"
    for number in ("09.1", "14.2"):  # digits, as a number or a list as well
        digits = RIGHT[number]
        for form in (int(digits), [int(digit) for digit in digits], tuple(digits)):
            assert check(number, form).status == "correct"
    exchanged = check("01.1", ((3, 3)[::-1], (6, 1)[::-1]))
    assert "Components come first" in exchanged.text
    shuffled = [tuple(np.float32(x) for x in row) for row in RIGHT["02.1"][::-1]]
    assert check("02.1", np.array(shuffled)).status == "correct"
    assert check("02.4", np.float64(0.1)).status == "correct"
    assert check("04.1", np.array(RIGHT["04.1"][::-1])).status == "correct"
    bar = np.array(RIGHT["04.2"][0])
    assert check("04.2", (bar, [1, 2], np.array([0, 2]))).status == "correct"
    ring = drawn("#### #..# ####")  # opening a ring at two ends parts it
    assert check("04.2", (ring, (0, 0), (2, 3))).status == "not yet"


def test_a_share_of_flips_is_known_by_two_digits():
    for written in (6 / 32, 0.188, 0.187, 0.19, np.float32(0.1875), "0.1875"):
        assert check("10.1", written).status == "correct", written
    for written in (0.18, 0.2, 5 / 32, 7 / 32):
        assert check("10.1", written).status == "not yet", written


@pytest.mark.parametrize("number", ["03.1", "06.1"])
def test_gradients_are_compared_to_three_digits(number):
    for answer, word in WRONG[number]:
        if len(np.shape(answer)) == 1 and len(answer) == len(RIGHT[number]):
            assert check(number, np.round(answer, 3)).text == check(number, answer).text, word
    right = np.array(RIGHT[number])
    assert check(number, right + 0.0004).status == "correct"
    assert check(number, right + 0.004).status == "not yet"


@pytest.mark.parametrize("number", ["03.2", "04.3"])
@pytest.mark.parametrize(
    "kind", [int, float, np.bool_, np.int64, np.array, torch.tensor, lambda yes: 3 * int(yes)]
)
def test_whatever_has_a_truth_value_decides(number, kind):
    right = RIGHT[number]
    assert check(number, lambda *case: kind(bool(right(*case)))).status == "correct"
    wrong = check(number, lambda *case: kind(not right(*case)))
    assert "other way round" in wrong.text.lower()


@pytest.mark.parametrize("value", ["yes", 0.4, np.nan, np.inf, [], [1, 0], {}, 1j, len])
def test_what_is_neither_true_nor_false_does_not_decide(value):
    for number in ("03.2", "04.3"):
        assert "Return True or False" in check(number, lambda *case: value).text


def test_betti_numbers_of_volumes_may_be_an_array():
    for answer in (np.array(RIGHT["13.1"]), np.array(RIGHT["13.1"], float), RIGHT["13.1"][:]):
        assert check("13.1", answer).status == "correct"


@pytest.mark.parametrize("death", [None, np.nan, np.inf, -np.inf])
def test_the_death_of_what_never_dies_is_a_convention(death):
    diagram = [(0, 0.9, death), *RIGHT["02.1"][1:]]
    assert "set to 0" in check("02.1", diagram).text
    never = [(k, b, d or death) for k, b, d in RIGHT["13.3"](np.eye(3)[None])]
    assert "set to 0" in check("13.3", lambda image: never).text


def test_the_masks_of_the_chapter_are_known_however_they_are_turned():
    prediction, truth = (np.pad(mask, 2) for mask in WRONG["01.2"][-2][0])
    for pair in ((truth, prediction), (prediction.T, truth.T), (prediction[::-1], truth[::-1])):
        assert "chapter's" in check("01.2", pair).text
    more = prediction.copy()
    more[truth.shape[0] - 1, 3] = True
    assert "chapter's" not in check("01.2", (more, truth)).text


@pytest.mark.parametrize("number", ["01.3", "04.3"])
def test_a_function_may_spoil_what_it_is_given(number):
    def spoiled(*arguments):
        answer = RIGHT[number](*arguments)
        for array in arguments:
            if isinstance(array, np.ndarray):
                array[:] = False
        return answer

    assert check(number, spoiled).status == "correct"


def test_images_given_by_reference_are_not_changed():
    images = [PENCIL_IMAGE, PENCIL_ROW, PENCIL_RIDGE]
    before = [image.copy() for image in images]
    check("02.3", lambda image: image.fill(1) or [])
    check("05.3", lambda image, persistence, level: image.fill(0) or image > 1)
    for image, copy in zip(images, before, strict=True):
        np.testing.assert_array_equal(image, copy)


def test_the_gradient_of_the_strip_is_that_of_the_library():
    logits = torch.tensor(PENCIL_STRIP[None, None]).logit().requires_grad_()
    loss = topological_loss(logits, torch.from_numpy(PENCIL_STRIP_TRUTH)[None])
    (slopes,) = torch.autograd.grad(loss, logits)
    by_likelihood = slopes.numpy().ravel() / (PENCIL_STRIP * (1 - PENCIL_STRIP)).ravel()
    assert check("03.1", by_likelihood).status == "correct"


@pytest.mark.parametrize(("birth", "death"), [(0.9, 0.8), (0.9, 0.1), (0.6, 0.3), (0.3, 0.05)])
def test_a_match_is_worth_it_where_the_library_makes_it(birth, death):
    hole = np.full((3, 3), birth)
    hole[1, 1] = death
    made = match_pairs(hole, np.arange(9).reshape(3, 3) != 4, matching="wasserstein")
    holes = made.prediction.dimension[made.matched[:, 0]] == 1
    assert holes.any() == RIGHT["03.2"](birth, death)


def test_all_good_thresholds_of_the_row_pass_and_no_other():
    for low in (0.0, 0.04, 0.05, 0.06, 0.2, 0.39, 0.4, 0.41, 0.9, 1.0):
        for high in (0.0, 0.1, 0.24, 0.25, 0.26, 0.5, 0.64, 0.65, 0.66, 0.96, 1.0):
            good = 0.05 <= low < 0.4 and 0.25 < high <= 0.65
            assert (check("05.2", (low, high)).status == "correct") == good, (low, high)


def gradient_of_morse_loss(image, truth, **options):
    """Return the gradient of the library's loss by logit."""
    logits = torch.tensor(image).logit()[None, None].requires_grad_()
    loss = MorseLoss(**options)(logits, torch.tensor(truth)[None])
    return torch.autograd.grad(loss, logits)[0][0, 0].numpy()


def test_the_pencil_gradient_is_the_librarys():
    by_library = gradient_of_morse_loss(PENCIL_PASS, PENCIL_PASS_TRUTH)
    np.testing.assert_allclose(by_library, [[0, -0.04, -0.14, -0.02, 0.04, 0.12]], atol=1e-12)
    assert check("06.1", by_library[0].tolist()).status == "correct"


@pytest.mark.parametrize("more", [{}, {"min_persistence": 0.4}, {"saddle_level": 0.65}])
def test_options_that_show_wall_and_speck_are_right(more):
    options = RIGHT["06.2"] | more
    on = gradient_of_morse_loss(DOUBTFUL_WALL, DOUBTFUL_WALL_TRUTH, **options) != 0
    expected = DOUBTFUL_WALL_TRUTH.copy()
    expected[3, 1] = True
    np.testing.assert_array_equal(on, expected)
    assert check("06.2", options).status == "correct"


def test_the_weighted_mean_acts_on_the_librarys_branches():
    branches = morse_complex(PENCIL_PASS).branches()
    cost = -np.log(np.where(PENCIL_PASS_TRUTH, PENCIL_PASS, 1 - PENCIL_PASS))[0]
    by_hand = (0.5 * cost[1:4].sum() + 0.4 * cost[4:].sum()) / (3 * 0.5 + 2 * 0.4)
    weighted = RIGHT["06.3"](branches.paths, branches.persistence, cost)
    assert weighted == pytest.approx(by_hand)


def test_only_the_order_of_doubt_passes():
    right = [
        "".join(order)
        for order in itertools.permutations("ABCDE")
        if check("08.1", "".join(order)).status == "correct"
    ]
    assert right == ["DBEAC"]
    assert check("08.1", list("dbeac")).status == "correct"


def test_the_doubt_of_the_exercise_is_that_of_a_session():
    # A row for each branch, as many pixels inside and outside the mask as the exercise says.
    image = np.zeros((9, 41))
    for k, (_, _, outside, inside) in enumerate(PENCIL_QUEUE):
        image[2 * k, :inside] = 0.6
        image[2 * k, inside : inside + outside] = 0.45  # so near that no ridge is cut off
        image[2 * k, [0, inside + outside - 1]] += 0.03
    session = AnnotationSession(image, image, min_persistence=0.0)
    for k, (_, _, outside, inside) in enumerate(PENCIL_QUEUE):
        branch = session.nearest((2 * k, 1), reach=0)
        p = session.probability[branch]
        wanted = p * (outside > 0) + (1 - p) * (inside > 0)
        assert session.doubt[branch] == pytest.approx(wanted)


def test_the_pencil_differences_have_the_p_value_of_the_library():
    assert sign_flip_test(PENCIL_DIFFERENCES) == RIGHT["10.1"] == 6 / 32


def test_two_workers_end_the_pencil_tasks_when_the_exercise_says():
    for order, end in zip(
        (PENCIL_TASKS, sorted(PENCIL_TASKS, reverse=True)), RIGHT["12.1"], strict=True
    ):
        waiting, left, minutes = list(order), [0, 0], 0
        while waiting or any(left):  # minute by minute
            left = [waiting.pop(0) if not some and waiting else some for some in left]
            left = [max(some - 1, 0) for some in left]
            minutes += 1
        assert minutes == end


def test_the_pencil_volume_by_an_oracle():
    def betti(kind):
        cubes = gudhi.CubicalComplex(**{kind: np.where(np.pad(PENCIL_VOLUME, 1), 0.0, 1.0)})
        cubes.compute_persistence(min_persistence=-1)
        return tuple(cubes.persistent_betti_numbers(0.0, 0.5)[:3])

    assert [betti("vertices"), betti("top_dimensional_cells")] == RIGHT["13.1"]
