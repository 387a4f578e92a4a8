"""The teacher's kit: made from the chapters, whole in each file, readable and to be printed."""

from __future__ import annotations

import importlib.util
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from toposeg_lite.workbook import exercises

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
VOID = {"img", "br", "hr", "meta", "source", "path", "input"}


def load(name):
    spec = importlib.util.spec_from_file_location(name, NOTEBOOKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look their annotations up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def kit():
    return load("kit")


@pytest.fixture(scope="module")
def books(kit):
    return kit.chapters()


@pytest.fixture(scope="module")
def files(kit):
    return kit.kit()


class Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.open, self.pictures, self.links, self.slides, self.text = [], [], [], [], ""
        self.headings, self.notes = [], 0
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.pictures.append(attributes)
        if tag == "a":
            self.links.append(attributes.get("href", ""))
        if tag == "section" and attributes.get("class") == "slide":
            self.slides.append("")
        if tag in ("h1", "h2", "h3"):
            self.headings.append("")
        self.notes += attributes.get("class") == "notes"

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if {"style", "script"} & set(self.open):
            return
        self.text += data
        if self.slides and "section" in self.open:
            self.slides[-1] += data
        if self.headings and self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings[-1] += data


def test_every_plan_has_slides_of_its_chapters(kit, books, files):
    text = (NOTEBOOKS / "README.md").read_text()
    plans = kit.plans(text, books)
    titles = re.findall(r"(?m)^### (.+)$", kit.section_of(text, "Plans for a course"))
    assert list(plans) == titles
    slides = [name for name in files if name.startswith("slides-")]
    assert len(slides) == len(plans) >= 3
    for (name, rows), file in zip(plans.items(), slides, strict=True):
        page = Page(files[file])
        told = " ".join(page.headings)
        assert page.headings[0] == name
        assert page.notes >= len(page.slides) / 2
        for row in rows:
            for number in row.chapters:
                assert f"{number} {kit.heading_of(books[number])}" in told
                assert f"{number} Predict first" in told or number == "00"
            for number in row.exercises:
                assert re.search(rf"{re.escape(number)}\b", told), number


def test_rows_name_their_chapters_and_exercises(kit):
    text = """## Plans for a course

### A day

| Minutes | What | With |
|---|---|---|
| 0-10 | Spaces in 30 steps | 01, the picture; exercise 02.1 on paper |
| 10-20 | Break | |

## Notes for the teacher
"""
    (rows,) = kit.plans(text, ["01", "02", "03"]).values()
    assert [(row.when, row.chapters, row.exercises) for row in rows] == [
        ("0-10", ["01", "02"], ["02.1"]),
        ("10-20", [], []),
    ]
    with pytest.raises(ValueError, match="no section 'Plans"):
        kit.plans("## Else\n", [])


def test_a_question_is_shown_before_its_answer(kit, books):
    for number, book in books.items():
        slides = kit.chapter_slides(number, book)
        titles = [slide.title for slide in slides]
        if f"{number} Predict first" not in titles:
            assert number == "00"
            continue
        k = titles.index(f"{number} Predict first")
        question, answer = slides[k], slides[k + 1]
        assert "<details" not in question.content
        assert question.notes == answer.content != ""
        assert answer.content not in question.content
        assert len(question.content) > 100


def test_each_file_is_whole(files):
    for name, html in files.items():
        page = Page(html)
        assert not re.search(r'(src|href)="(https?:)?//', re.sub(r"<a [^>]*>", "", html)), name
        for picture in page.pictures:
            assert len(picture["alt"]) > 30, name
            assert picture["src"].startswith("data:image/")
        for link in page.links:
            assert re.match(r"https?:|#", link) or link in files, (name, link)
        assert page.headings.count("") == 0
        assert len(html) < 8_000_000
    assert set(Page(files["index.html"]).links) == set(files) - {"index.html"}


def test_the_sheet_asks_and_the_solutions_answer(kit, books, files):
    asked = {
        n
        for book in books.values()
        for n, one in kit.exercises_of(book).items()
        if "pencil" in one[0].lower()
    }
    assert len(asked) >= 9
    sheet, solved = Page(files["pencil.html"]), Page(files["pencil-solutions.html"])
    for number in asked | set(kit.ON_PAPER):
        assert any(number in heading for heading in sheet.headings), number
        assert any(number in heading for heading in solved.headings), number
    assert files["pencil.html"].count('class="answer"') == len(asked | set(kit.ON_PAPER))
    solution = kit.exercises_of(books["02"])["02.1"][3]
    answer = re.search(r"= (\[.*\])", solution)[1]
    assert answer in solved.text
    assert answer not in sheet.text
    assert "exercises.check" in solved.text  # the code as it stands
    assert "exercises.check" not in sheet.text


def test_the_quiz_is_there_three_times(files):
    questions = [q for c in exercises.quizzes() for q in exercises.quiz(c).questions]
    for name in ("quiz.html", "quiz-sheet.html", "quiz-key.html"):
        page = Page(files[name])
        assert len(re.findall(r'<h2 id="quiz-', files[name])) == len(exercises.quizzes())
        reasons = sum(q.answers[0].reason.split("*")[0][:40] in page.text for q in questions)
        assert (reasons > len(questions) / 2) == (name != "quiz-sheet.html")


def test_every_exercise_on_a_slide_has_the_notes_of_the_teacher(kit, files):
    notes = kit.notes_of((NOTEBOOKS / "README.md").read_text())
    assert set(notes) == set(exercises.checking._CHECKERS)
    assert "What helps." in Page(files["slides-course-of-four-weeks.html"]).text


def test_the_command_writes_the_files(kit, files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(kit, "kit", lambda: {"index.html": "<p>a</p>", "b.html": "b"})
    kit.main([str(tmp_path / "made")])
    assert (tmp_path / "made" / "b.html").read_text() == "b"
    assert len(capsys.readouterr().out.split()) == 2


@pytest.mark.browser
def test_slides_go_on_by_keyboard_and_by_button(files, tmp_path):
    import shutil

    from playwright.sync_api import sync_playwright

    file = tmp_path / "slides.html"
    file.write_text(files["slides-tutorial-of-two-hours.html"])
    with sync_playwright() as tool:
        browser = tool.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        errors, asked = [], []
        page.on("pageerror", lambda error: errors.append(error))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        number = page.locator(".slide.now .number")
        assert number.inner_text().startswith("1 / ")
        page.keyboard.press("ArrowRight")
        assert number.inner_text().startswith("2 / ")
        page.get_by_role("button", name="On").click()
        assert number.inner_text().startswith("3 / ")
        assert "Slide 3 of" in page.locator("#said").text_content()
        assert not page.locator(".slide.now .notes").is_visible()
        page.keyboard.press("n")
        assert page.locator(".slide.now .notes").is_visible()
        page.keyboard.press("Home")
        assert page.url.endswith("#1")
        page.keyboard.press("End")
        assert page.locator(".slide:visible").count() == 1
        browser.close()
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


MEASURE = """(slides) => slides.map((slide, k) => {
  slides.forEach((other) => other.classList.toggle("now", other === slide));
  const parts = Array.from(slide.querySelectorAll("*"))
    .filter((part) => part.getClientRects().length);
  const boxes = parts.map((part) => part.getBoundingClientRect());
  const inner = parts.filter((part) => getComputedStyle(part).display !== "inline");
  const picture = slide.querySelector("img");
  return {
    name: k + 1 + " " + slide.querySelector("h1, h2").textContent,
    right: Math.max(...boxes.map((box) => box.right)),
    bottom: Math.max(...boxes.map((box) => box.bottom)),
    words: slide.querySelector(".content").getBoundingClientRect().bottom,
    wider: slide.scrollWidth - slide.clientWidth,
    taller: slide.scrollHeight - slide.clientHeight,
    cut: inner.filter((part) => part.scrollWidth > part.clientWidth + 1 && part.clientWidth)
      .map((part) => part.tagName),
    picture: picture ? picture.getBoundingClientRect().height : null,
  };
})"""


@pytest.mark.browser
@pytest.mark.parametrize("size", [(1280, 720), (1024, 768), (1920, 1080)])
def test_everything_on_a_slide_is_seen(size, files, tmp_path):
    """No slide is taller or wider than the screen, and no words lie below the buttons."""
    import shutil

    from playwright.sync_api import sync_playwright

    width, height = size
    with sync_playwright() as tool:
        browser = tool.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": width, "height": height})
        faults = []
        for name in [name for name in files if name.startswith("slides-")]:
            (tmp_path / name).write_text(files[name])
            page.goto((tmp_path / name).as_uri())
            page.wait_for_function(
                "Array.from(document.images).every((one) => one.complete && one.naturalWidth)"
            )
            buttons = page.locator(".bar").bounding_box()["y"]
            found = page.eval_on_selector_all(".slide", MEASURE)
            assert len(found) == files[name].count('class="slide"') > 20
            for slide in found:
                seen = slide["right"] <= width and slide["bottom"] <= height
                fits = slide["wider"] <= 0 and slide["taller"] <= 0 and not slide["cut"]
                clear = slide["words"] <= buttons
                large = slide["picture"] is None or slide["picture"] >= height / 5
                if not (seen and fits and clear and large):
                    faults.append((name, slide))
        browser.close()
    assert faults == []
