"""The questions of the chapters: ten each, one right answer, a reason for every answer, true."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit

from toposeg_lite import metrics
from toposeg_lite.calibration import expected_calibration_error
from toposeg_lite.losses import topological_loss
from toposeg_lite.topology import (
    betti_numbers,
    homotopy_warp,
    morse_complex,
    persistence_pairs,
    simple_points,
)
from toposeg_lite.workbook import exercises
from toposeg_lite.workbook.studies.statistics import (
    holm,
    kendall_tau,
    rank_correlation,
    sign_flip_test,
)

ALL = {chapter: exercises.quiz(chapter) for chapter in exercises.quizzes()}
EACH = [(c, k) for c, one in ALL.items() for k in range(len(one.questions))]
CHECKED = [(c, k) for c, k in EACH if ALL[c].questions[k].check]
NOTEBOOKS = Path(__file__).parents[3] / "notebooks"


def m(rows):
    """Return the mask that rows of # and . draw."""
    return np.array([[sign == "#" for sign in row] for row in rows.split()])


def pairs(image, connectivity=None, **options):
    """Return (dimension, birth, death) of all pairs, by dimension and then as they are."""
    found = persistence_pairs(np.array(image), connectivity=connectivity, **options)
    rows = zip(found.dimension.tolist(), found.birth, found.death, strict=True)
    return sorted((k, round(float(b), 6), round(float(d), 6)) for k, b, d in rows)


def slopes(image, truth):
    """Return the gradient, by likelihood, of the topological loss with matching "rank"."""
    likelihood = torch.tensor(np.array(image, float))
    logits = likelihood.logit()[None, None].requires_grad_()
    value = topological_loss(logits, torch.tensor(np.array(truth, bool))[None], matching="rank")
    (found,) = torch.autograd.grad(value, logits)
    return (found[0, 0] / (likelihood * (1 - likelihood))).numpy()


#: What a `check` may use.
NAMES = {
    "np": np,
    "exercises": exercises,
    "expected_calibration_error": expected_calibration_error,
    "expit": expit,
    "m": m,
    "pairs": pairs,
    "slopes": slopes,
    "betti": lambda mask, k=None: betti_numbers(mask, connectivity=k),
    "simple": lambda mask, pixel: bool(simple_points(mask)[pixel]),
    "warp": homotopy_warp,
    "skeleton": lambda image, t, level: morse_complex(image).skeleton(t, level).mask,
    "dice": metrics.dice,
    "cldice": metrics.cldice,
    "betti_error": metrics.betti_error,
    "matching": metrics.betti_matching_error,
    "voi": metrics.variation_of_information,
    "holm": holm,
    "sign_flip_test": sign_flip_test,
    "tau": kendall_tau,
    "rank_correlation": rank_correlation,
}


def plain(text):
    return re.sub(r"\W+", " ", text.lower()).strip()


def test_every_chapter_has_ten_questions():
    chapters = {path.name.split("_")[0] for path in (NOTEBOOKS / "source").glob("*.py")} - {"90"}
    assert set(ALL) == chapters
    assert {chapter: len(one.questions) for chapter, one in ALL.items()} == dict.fromkeys(ALL, 10)


@pytest.mark.parametrize(("chapter", "k"), EACH)
def test_a_question_is_whole(chapter, k):
    question = ALL[chapter].questions[k]
    assert [answer.right for answer in question.answers].count(True) == 1
    assert 3 <= len(question.answers) <= 4
    texts = [a.text.lower() if "." in a.text else plain(a.text) for a in question.answers]
    assert len(set(texts)) == len(texts)  # -.7 and .7 are two answers
    reasons = [plain(answer.reason) for answer in question.answers]
    assert len(set(reasons)) == len(reasons)
    for reason, answer in zip(reasons, question.answers, strict=True):
        assert len(reason) >= (8 if answer.right else 25), answer
    assert question.text.count("```") % 2 == 0
    assert question.letter == "ABCD"[[answer.right for answer in question.answers].index(True)]


def test_no_question_is_asked_twice():
    asked = Counter(plain(q.text) for one in ALL.values() for q in one.questions)
    assert [text for text, times in asked.items() if times > 1] == []


def test_the_right_answer_has_no_place_and_no_length_of_its_own():
    questions = [q for one in ALL.values() for q in one.questions]
    places = Counter(q.letter for q in questions)
    for letter in "ABC":  # a guesser who always says B gets less than half
        assert 0.15 < places[letter] / len(questions) < 0.5
    longest = sum(max(q.answers, key=lambda a: len(a.text)).right for q in questions)
    assert longest / len(questions) < 0.67, longest


@pytest.mark.parametrize(("chapter", "k"), CHECKED)
def test_what_the_right_answer_says_is_so(chapter, k):
    question = ALL[chapter].questions[k]
    assert bool(eval(question.check, dict(NAMES))) is True, question.text


def test_enough_questions_are_checked():
    assert len(CHECKED) >= len(EACH) / 2
    assert not eval("betti(m('#.#')) == (1, 0)", dict(NAMES))  # a check can fail


class Tags(HTMLParser):
    """The tags of a page, which have to close in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.seen, self.text = [], Counter(), ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen[tag] += 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("chapter", ALL)
def test_what_is_shown(chapter):
    one = ALL[chapter]
    count = sum(len(question.answers) for question in one.questions)
    shown = Tags(one._repr_html_())
    assert shown.seen["details"] == shown.seen["summary"] == count
    assert shown.text.count("Right.") == 10
    assert not {"script", "style", "img"} & set(shown.seen)  # nothing that a viewer takes away
    sheet, key = Tags(one.sheet()), Tags(one.key())
    for question in one.questions:
        for answer in question.answers:
            assert plain(answer.reason) in plain(shown.text)
            assert plain(answer.reason) in plain(key.text)
            assert len(answer.reason) < 20 or plain(answer.reason) not in plain(sheet.text)
    assert sheet.text.count("☐") == count
    assert key.text.count(", right.") == 10
    text = repr(one)
    assert text.startswith("1. ")
    assert not re.search(r"Right\.|Not this\.", text)


def test_signs_of_html_and_marks_of_markdown_are_read():
    question = exercises.Question(
        "Is `a < b` *so*?\n```\n# <\n```",
        (exercises.Answer("1 * 2 * 3", True, "x"), exercises.Answer("no", False, "y")),
    )
    html = exercises.Quiz("00", (question,)).html()
    assert "<p>Is <code>a &lt; b</code> <em>so</em>?</p><pre># &lt;</pre>" in html
    assert "1 * 2 * 3" in html
