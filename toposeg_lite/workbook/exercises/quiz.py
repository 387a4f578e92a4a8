"""Ten questions a chapter, each answer with its reason: what a reader can ask himself.

The questions stand in ``questions/NN.toml``, written by hand; 00.toml tells the form. Without a
script they are shown as what unfolds, so they work in a notebook without a kernel, on a page
without a network, by keyboard, and on paper (there the answers come at the end).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files

from ...checks import check_choice

__all__ = ["Answer", "Question", "Quiz", "quiz", "quizzes"]

LETTERS = "ABCD"


@dataclass(frozen=True)
class Answer:
    """One of the answers that a question offers.

    Attributes
    ----------
    text : str
        What is offered; `code` stands between backticks, *emphasis* between stars.
    right : bool
        Whether it is the right one.
    reason : str
        What one learns by choosing it: why it is right, or the misconception behind it.
    """

    text: str
    right: bool
    reason: str


@dataclass(frozen=True)
class Question:
    """A question with three or four answers, of which one is right.

    Attributes
    ----------
    text : str
        The question, written as the answers are; lines between three backticks are drawn as they
        stand.
    answers : tuple of Answer
        In the order in which they are shown, which has nothing to do with which is right.
    check : str
        A Python expression that is true if the right answer is, or "". The tests evaluate it.
    """

    text: str
    answers: tuple[Answer, ...]
    check: str = ""

    @property
    def letter(self) -> str:
        """The letter of the right answer."""
        return LETTERS[[answer.right for answer in self.answers].index(True)]


@dataclass(frozen=True, repr=False)
class Quiz:
    """The questions of a chapter; Jupyter shows them, each answer to be unfolded.

    Attributes
    ----------
    chapter : str
        Its number, for instance "02".
    questions : tuple of Question
        Ten of them.
    """

    chapter: str
    questions: tuple[Question, ...]

    def __repr__(self) -> str:
        """Return the questions with their letters, as one would read them out; no answer."""
        lines = []
        for number, question in enumerate(self.questions, 1):
            lines.append(f"{number}. {question.text.strip()}")
            pairs = zip(LETTERS, question.answers, strict=False)
            lines += [f"   {letter}. {answer.text}" for letter, answer in pairs]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """Return the questions as HTML; the reason of an answer unfolds when it is chosen."""
        items = "".join(f"<li>{_asked(question)}</li>" for question in self.questions)
        return f'<ol class="quiz">{items}</ol>'

    def sheet(self) -> str:
        """Return the questions as HTML for print: boxes to tick, no answers."""
        items = []
        for question in self.questions:
            boxes = "".join(
                f"<li>&#9744; {letter}. {_inline(answer.text)}</li>"
                for letter, answer in zip(LETTERS, question.answers, strict=False)
            )
            items.append(f"<li>{_block(question.text)}<ul>{boxes}</ul></li>")
        return f'<ol class="quiz">{"".join(items)}</ol>'

    def key(self) -> str:
        """Return the right letters with their reasons, and what is wrong with the others."""
        items = []
        for question in self.questions:
            lines = [
                f"<li><strong>{letter}{', right' if answer.right else ''}.</strong> "
                f"{_inline(answer.reason)}</li>"
                for letter, answer in zip(LETTERS, question.answers, strict=False)
            ]
            items.append(f"<li>{question.letter}<ul>{''.join(lines)}</ul></li>")
        return f'<ol class="quiz">{"".join(items)}</ol>'


def quizzes() -> list[str]:
    """Return the chapters that have questions.

    >>> quizzes()[:3]
    ['00', '01', '02']
    """
    names = (file.name for file in files(__package__).joinpath("questions").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def quiz(chapter: str) -> Quiz:
    """Return the ten questions of a chapter, which a notebook shows.

    Parameters
    ----------
    chapter : str
        Its number, one of `quizzes()`.

    Returns
    -------
    Quiz
        In a notebook: each question with its answers, and behind each answer, when it is chosen,
        whether it is right and why.

    Examples
    --------
    >>> quiz("02").questions[0].text
    'With superlevel sets, how do birth and death of a feature compare?'
    """
    check_choice(chapter, quizzes(), "chapter")
    text = files(__package__).joinpath("questions", f"{chapter}.toml").read_text(encoding="utf-8")
    return Quiz(chapter, tuple(map(_question, tomllib.loads(text)["question"])))


def _question(entry: dict) -> Question:
    """Return the question that an entry of the file describes."""
    text, (right, because) = entry["ask"].strip(), entry["right"]
    answers = [Answer(right, True, because)]
    answers += [Answer(wrong, False, reason) for wrong, reason in entry["wrong"]]
    # An order that is always the same, and in which the right answer has no place of its own.
    answers.sort(key=lambda answer: sha256((text + answer.text).encode()).hexdigest())
    return Question(text, tuple(answers), entry.get("check", ""))


def _inline(text: str) -> str:
    """Return a text as HTML, with its code and emphasis."""
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"(?<![\w*])\*([^*\s][^*]*?)\*(?!\w)", r"<em>\1</em>", html)


def _block(text: str) -> str:
    """Return a text of paragraphs and drawings as HTML."""
    parts = re.split(r"```\n(.*?)\n?```", text, flags=re.DOTALL)
    prose, drawings = parts[::2], parts[1::2]
    html = ""
    for k, part in enumerate(prose):
        html += f"<p>{_inline(part.strip())}</p>" if part.strip() else ""
        html += f"<pre>{escape(drawings[k])}</pre>" if k < len(drawings) else ""
    return html


def _asked(question: Question) -> str:
    """Return a question with its answers, to be unfolded."""
    html = _block(question.text)
    for letter, answer in zip(LETTERS, question.answers, strict=False):
        word = "Right." if answer.right else "Not this."
        html += (
            f"<details><summary>{letter}. {_inline(answer.text)}</summary>"
            f"<p><strong>{word}</strong> {_inline(answer.reason)}</p></details>"
        )
    return html
