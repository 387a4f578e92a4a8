"""Make the teacher's kit from the chapters: ``python notebooks/kit.py [FOLDER]``, or ``make kit``.

Nothing of it is written twice. The plans and the notes for the teacher are those of README.md; the
pictures, the questions to predict and the exercises those of the chapters; the quiz is the one that
the chapters show. Each file needs nothing else, no network either:

================================  ==================================================================
``slides-NAME.html``              for each plan: its chapters' pictures and questions, with notes
``pencil.html``                   the exercises for paper, a sheet to print
``pencil-solutions.html``         the same with their solutions
``quiz.html``                     all questions, answers unfold
``quiz-sheet.html``               the same to print, boxes to tick
``quiz-key.html``                 their right answers, and why the others are wrong
``index.html``                    leads to all of them
================================  ==================================================================
"""

from __future__ import annotations

import argparse
import base64
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import nbformat
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from nbformat import NotebookNode

from toposeg_lite.files import make_folder, write_atomically
from toposeg_lite.workbook import exercises

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the file beside this one, wherever this one is called from

from pages import with_formulas  # noqa: E402

CHAPTER = r"\d\d[a-z]?"
EXERCISE = r"\d\d\.\d"
#: Exercises that need no computer, besides those whose title says so.
ON_PAPER = ("02.4", "05.2")
HELP = "Arrow keys: back and on. Home, End: first and last. n: notes."


@dataclass
class Slide:
    """One slide: its title, what it shows as HTML, and what the teacher may say."""

    title: str
    content: str
    notes: str = ""
    when: str = ""


@dataclass
class Row:
    """One row of a plan: when, what is done, and the chapters and exercises that it names."""

    when: str
    words: str
    chapters: list[str] = field(default_factory=list)
    exercises: list[str] = field(default_factory=list)


# --- What is read -----------------------------------------------------------------------------


def chapters(folder: Path = HERE) -> dict[str, NotebookNode]:
    """Return the chapters with their outputs and solutions, by number."""
    found = {}
    for path in sorted(folder.glob("[0-9]*.ipynb")):
        number = re.match(CHAPTER, path.name)
        solved = folder / "solutions" / path.name
        if number and not path.name.startswith("90"):
            file = solved if solved.exists() else path
            found[number[0]] = nbformat.read(file, as_version=4)
    return found


def section_of(text: str, title: str) -> str:
    """Return a section of a text in Markdown, without its heading."""
    found = re.search(rf"(?ms)^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text)
    if found is None:
        raise ValueError(f"README.md has no section {title!r}")
    return found[1]


def cells_of(line: str) -> list[str]:
    """Return the cells of a row of a table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def plans(text: str, known: Iterable[str]) -> dict[str, list[Row]]:
    """Return the plans of the README: their names, and the rows of each."""
    known, found = set(known), {}
    for name, body in re.findall(
        r"(?ms)^### (.+?)\n(.*?)(?=^### |\Z)", section_of(text, "Plans for a course")
    ):
        lines = [line for line in body.splitlines() if line.startswith("|")]
        rows = []
        for line in lines[2:]:
            when, *rest = cells_of(line)
            words = " ".join(rest)
            asked = re.findall(rf"\b({EXERCISE})\b", words)
            left = re.sub(rf"\b{EXERCISE}\b", " ", words)
            numbers = [n for n in re.findall(rf"\b({CHAPTER})\b", left) if n in known]
            numbers += [number[:2] for number in asked if number[:2] in known]
            rows.append(Row(when, rest[0], list(dict.fromkeys(numbers)), asked))
        if rows:
            found[name] = rows
    return found


def notes_of(text: str) -> dict[str, str]:
    """Return the notes for the teacher, as Markdown, by exercise."""
    rows = re.findall(
        rf"(?m)^\| \*\*({EXERCISE})\*\* \| (.*?) \| (.*?) \|$",
        section_of(text, "Notes for the teacher"),
    )
    return {n: f"**Usual misconceptions.** {wrong}\n\n**What helps.** {help_}"
            for n, wrong, help_ in rows}  # fmt: skip


# --- Pieces -----------------------------------------------------------------------------------


def html_of(text: str) -> str:
    """Return Markdown as HTML; links to files become plain words, formulas are drawn.

    Pictures have slides of their own.
    """
    text = re.sub(r"!\[[^]]*\]\([^)]*\)", "", text)
    text = re.sub(r"(?<!!)\[([^]]*)\]\((?!https?:)[^)]*\)", r"\1", text)
    return with_formulas(markdown2html_mistune(text))


def data_of(content: bytes, kind: str) -> str:
    """Return a picture as the address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def figure_of(address: str, alt: str, still: str = "") -> str:
    """Return a picture and below it its words; a film gives way to its still if asked to."""
    img = f'<img src="{address}" alt="{escape(alt)}">'
    if still:
        calm = '<source media="(prefers-reduced-motion: reduce), print"'
        img = f'<picture>{calm} srcset="{still}">{img}</picture>'
    return f"<figure>{img}<figcaption>{escape(alt)}</figcaption></figure>"


def without_folds(text: str) -> tuple[str, str]:
    """Part a text from what is folded in it: the question from its answer."""
    folds = re.findall(r"(?s)<details><summary>.*?</summary>(.*?)</details>", text)
    return re.sub(r"(?s)<details>.*?</details>", "", text).strip(), "\n\n".join(folds).strip()


def heading_of(notebook: NotebookNode) -> str:
    """Return the title of a chapter."""
    return re.search(r"(?m)^# (.+)$", notebook.cells[0].source)[1]


def exercises_of(notebook: NotebookNode) -> dict[str, tuple[str, str, str, str]]:
    """Return (title, text, hint, solution) of each exercise by its number, as Markdown.

    Several that share a text stand under the first.
    """
    found = {}
    for k, cell in enumerate(notebook.cells):
        begin = cell.cell_type == "markdown" and re.search(
            rf"(?m)^### ({EXERCISE})(.*)$", cell.source
        )
        if not begin:
            continue
        text, hint = without_folds(cell.source[begin.end() :].strip())
        solution = next(
            (c.source for c in notebook.cells[k + 1 :] if "solution" in c.metadata.get("tags", [])),
            "",
        )
        found[begin[1]] = (f"{begin[1]}{begin[2]}", text, hint, solution)
    return found


def solution_html(source: str) -> str:
    """Return a solution: its comments as prose, its code as it stands."""
    lines = source.splitlines()
    prose = " ".join(line[1:].strip() for line in lines if line.startswith("#"))
    code = "\n".join(line for line in lines if not line.startswith("#")).strip()
    return (f"<p>{escape(prose)}</p>" if prose else "") + f"<pre>{escape(code)}</pre>"


# --- Slides -----------------------------------------------------------------------------------


def chapter_slides(number: str, notebook: NotebookNode, folder: Path = HERE) -> list[Slide]:
    """Return the slides of a chapter: its end, its questions, its pictures, its film."""
    title = f"{number} {heading_of(notebook)}"
    head = notebook.cells[0].source
    end = re.search(r"(?m)^\*\*At the end\*\* (.+)$", head)
    picture = re.search(r"!\[(.*?)\]\((.*?)\)", head)
    content = f"<p>At the end {html_of(end[1]).strip().removeprefix('<p>')}" if end else ""
    if picture:
        file = folder / "images" / Path(picture[2]).name
        content += figure_of(data_of(file.read_bytes(), file.suffix[1:]), picture[1])
    goals = head[head.find("**You will be able to**") :]
    slides = [Slide(title, content, html_of(goals) if goals.startswith("*") else "")]
    for cell in notebook.cells:
        # From this heading to the next: what comes then is another matter.
        predict = re.search(r"(?ms)^## [^\n]*Predict first[^\n]*\n(.*?)(?=^## |\Z)", cell.source)
        if cell.cell_type != "markdown" or predict is None:
            continue
        question, answer = without_folds(predict[1])
        slides.append(Slide(f"{number} Predict first", html_of(question), html_of(answer)))
        slides.append(Slide(f"{number} What it is", html_of(answer)))
    film = folder / "images" / f"{number}-film.gif"
    if film.exists():
        still = data_of(film.with_suffix(".png").read_bytes(), "png")
        slides.append(
            Slide(f"{number} In motion", figure_of(data_of(film.read_bytes(), "gif"),
                                                   film_words(notebook, film.name), still))
        )  # fmt: skip
    return slides + picture_slides(number, notebook)


def film_words(notebook: NotebookNode, name: str) -> str:
    """Return the alternative text that a chapter gives its film."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.search(rf"!\[(.*?)\]\([^)]*{re.escape(name)}\)", text)
    if found is None:
        raise ValueError(f"no chapter shows the film {name}")
    return found[1]


def picture_slides(number: str, notebook: NotebookNode) -> list[Slide]:
    """Return a slide for each picture that a chapter stores, with what it says of it as notes."""
    slides, section = [], ""
    for k, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            names = re.findall(r"(?m)^##+ (.+)$", cell.source)
            section = names[-1] if names else section
            continue
        if "solution" in cell.metadata.get("tags", []):
            continue
        below = [c.source for c in notebook.cells[k + 1 : k + 3] if "-film.gif" not in c.source]
        after = below[0] if below else ""
        meaning = re.split(r"(?m)^##+ ", after)[0].strip()
        for output in cell.outputs:
            png = output.get("data", {}).get("image/png")
            if png:
                alt = output.metadata["image/png"]["alt"]
                address = "data:image/png;base64," + png.replace("\n", "")
                name = f"{number} {section.replace('Predict first', 'The question in pictures')}"
                slides.append(Slide(name, figure_of(address, alt), html_of(meaning)))
    return slides


def slides_of(name: str, rows: list[Row], books: dict[str, NotebookNode], notes: dict[str, str],
              folder: Path = HERE) -> list[Slide]:  # fmt: skip
    """Return the slides of a plan, row by row; a chapter is told when it is first named."""
    asked = {number: one for book in books.values() for number, one in exercises_of(book).items()}
    listed = "".join(f"<li><b>{escape(row.when)}</b> {html_of(row.words)[3:-5]}</li>"
                     for row in rows)  # fmt: skip
    slides = [Slide(name, f"<ul>{listed}</ul>", f"<p>{HELP}</p>")]
    told: set[str] = set()
    for row in rows:
        if not row.chapters:
            slides.append(Slide(row.when or "Break", html_of(row.words)))
        for number in [n for n in row.chapters if n not in told]:
            told.add(number)
            for slide in chapter_slides(number, books[number], folder):
                slide.when = row.when
                slides.append(slide)
        for number in row.exercises:
            if number in asked:
                title, text, _, _ = asked[number]
                slides.append(Slide(title, html_of(text), html_of(notes.get(number, "")), row.when))
    return slides


def slides_page(name: str, slides: list[Slide]) -> str:
    """Return the file of a plan."""
    body = []
    for k, slide in enumerate(slides, 1):
        level = "h1" if k == 1 else "h2"
        when = f'<p class="when">{escape(slide.when)}</p>' if slide.when else ""
        notes = f'<aside class="notes" aria-label="Notes">{slide.notes}</aside>' * bool(slide.notes)
        body.append(
            f'<section class="slide" aria-label="Slide {k}">{when}<{level}>{escape(slide.title)}'
            f'</{level}><div class="content">{slide.content}</div>{notes}'
            f'<p class="number">{k} / {len(slides)}</p></section>'
        )
    bar = (
        '<nav class="bar" aria-label="Slides"><button id="back">Back</button>'
        '<button id="on">On</button><button id="notes">Notes</button></nav>'
        '<p id="said" class="said" aria-live="polite" '
        'style="position:absolute;left:-9999px"></p>'
    )
    script = f"<script>\n{(HERE / 'kit.js').read_text(encoding='utf-8')}</script>"
    return page(f"{name}: slides", [bar, *body, script])


# --- Sheets -----------------------------------------------------------------------------------


def page(title: str, body: list[str]) -> str:
    """Return a whole file."""
    style = (HERE / "kit.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def sheet(title: str, words: str, body: list[str]) -> str:
    """Return a file to read and to print."""
    return page(title, [f'<main class="sheet"><h1>{title}</h1><p>{words}</p>', *body, "</main>"])


def pencil_sheet(books: dict[str, NotebookNode], solved: bool) -> str:
    """Return the exercises for paper, with room to answer or with their solutions."""
    body = []
    for number, notebook in books.items():
        some = {
            n: one
            for n, one in exercises_of(notebook).items()
            if "pencil" in one[0].lower() or n in ON_PAPER
        }
        if some:
            body.append(f"<h2>{number} {escape(heading_of(notebook))}</h2>")
        for title, text, _, solution in some.values():
            end = solution_html(solution) if solved else '<div class="answer"></div>'
            body.append(
                f'<section class="exercise"><h3>{escape(title)}</h3>{html_of(text)}{end}</section>'
            )
    words = "Foreground has 8 neighbours and background 4, unless an exercise says otherwise."
    title = "Exercises for paper" + (", with solutions" if solved else "")
    return sheet(title, words, body)


def quiz_sheets(books: dict[str, NotebookNode]) -> dict[str, str]:
    """Return the questions of all chapters: to unfold, to tick, and their answers."""
    shown: dict[str, list[str]] = {"html": [], "sheet": [], "key": []}
    for chapter in exercises.quizzes():
        title = f"{chapter} {heading_of(books[chapter])}" if chapter in books else chapter
        for how, parts in shown.items():
            questions = getattr(exercises.quiz(chapter), how)()
            heading = f'<h2 id="quiz-{chapter}">{escape(title)}</h2>'
            parts.append(f"<section>{heading}{questions}</section>")
    unfold = "Choose an answer: it unfolds, and says whether it is right, and why."
    return {
        "quiz.html": sheet("Ten questions a chapter", unfold, shown["html"]),
        "quiz-sheet.html": sheet("Questions", "One answer is right.", shown["sheet"]),
        "quiz-key.html": sheet("Answers to the questions", "With reasons.", shown["key"]),
    }


def kit(folder: Path = HERE) -> dict[str, str]:
    """Return every file of the kit by its name."""
    text, books = (folder / "README.md").read_text(encoding="utf-8"), chapters(folder)
    files, links = {}, []
    notes = notes_of(text)
    for name, rows in plans(text, books).items():
        stem = "-".join(re.findall(r"\w+", name.lower().removeprefix("a ")))
        files[f"slides-{stem}.html"] = slides_page(
            name, slides_of(name, rows, books, notes, folder)
        )
        links.append((f"slides-{stem}.html", f"Slides: {name}"))
    files["pencil.html"] = pencil_sheet(books, solved=False)
    files["pencil-solutions.html"] = pencil_sheet(books, solved=True)
    links += [("pencil.html", "Exercises for paper"), ("pencil-solutions.html", "Solutions")]
    files |= quiz_sheets(books)
    links += [
        ("quiz.html", "Ten questions a chapter"),
        ("quiz-sheet.html", "The same, to print"),
        ("quiz-key.html", "Their answers"),
    ]
    listed = "".join(f'<li><a href="{file}">{escape(words)}</a></li>' for file, words in links)
    files["index.html"] = sheet("Teacher's kit", HELP, [f"<ul>{listed}</ul>"])
    return files


def main(arguments: list[str] | None = None) -> None:
    """Write the kit and say where it is."""
    parser = argparse.ArgumentParser(description="Make the teacher's kit from the chapters.")
    parser.add_argument("folder", nargs="?", default="kit", help="default: kit")
    folder = make_folder(parser.parse_args(arguments).folder)
    for name, content in kit().items():
        write_atomically(folder / name, content.encode())
        print(folder / name)


if __name__ == "__main__":
    main()
