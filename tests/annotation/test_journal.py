"""The journal: kills, cuts at every byte, damage, two sessions, other images."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import textwrap
import time
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest

from toposeg_lite.annotation import AnnotationSession, journal, simulate_annotator
from toposeg_lite.annotation.journal import Journal

IMAGE = np.array(
    [
        [0.9, 0.2, 0.8, 0.1, 0.9],
        [0.3, 0.0, 0.0, 0.0, 0.2],
        [0.9, 0.2, 0.7, 0.3, 0.8],
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.7, 0.0, 0.0, 0.6],
    ]
)


def begin(path, image=IMAGE, likelihood=IMAGE, **options):
    return AnnotationSession(image, likelihood, path, **options)


def reopen(path, problems=0):
    """Open a journal, and see that it warns if and only if lines are bad."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session = begin(path)
    assert len(caught) == (problems > 0)
    assert len(session.problems) == problems
    return session


def state(session):
    strokes = [(s.drawn, s.path.tolist(), s.radius) for s in session.strokes]
    return session.decisions.tolist(), strokes, session.mask().tolist()


def act(session):
    """Yield the state at the beginning and after each of ten actions."""
    yield state(session)
    for step in (
        lambda: session.accept(0),
        lambda: session.reject([1, 3]),
        lambda: session.draw([(4, 1), (4, 4)]),
        session.undo,
        session.undo,
        session.redo,
        lambda: session.erase([(0, 0)], radius=1),
        session.learn,
        lambda: session.accept(1),
        session.undo,
    ):
        step()
        yield state(session)


def lines_of(path):
    return path.read_bytes().splitlines(keepends=True)


# --- Kills ---------------------------------------------------------------------------------------

CHILD = textwrap.dedent(
    """
    import os, sys
    import numpy as np
    from toposeg_lite.annotation import AnnotationSession

    def say(*words):  # in one piece, as two processes speak
        os.write(1, (" ".join(map(str, words)) + "\\n").encode())

    image = np.array(eval(sys.argv[1]))
    AnnotationSession(image, image)  # kernels are compiled or loaded once
    for path in sys.argv[2:]:
        child = os.fork()
        if child:
            say("child", child)
            os.waitpid(child, 0)
            continue
        session = AnnotationSession(image, image, path)
        count = 0
        while True:
            (session.accept if count % 2 else session.reject)(count % 5)
            if count % 7 == 6:
                session.undo()
            count += 1
            say("done", count)
    """
)


def stream(count):
    """Return the decisions after so many rounds of the child's loop, slowly."""
    decisions, before = [0] * 5, None
    for k in range(count):
        before = list(decisions)
        decisions[k % 5] = 1 if k % 2 else -1
        if k % 7 == 6:
            decisions = before
    return decisions


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the child forks")
def test_a_kill_at_any_moment_loses_the_action_in_flight_at_most(tmp_path):
    rng = random.Random(0)
    paths = [tmp_path / f"{k}.jsonl" for k in range(8)]
    command = [sys.executable, "-c", CHILD, repr(IMAGE.tolist()), *map(str, paths)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        for path in paths:
            word, child = parent.stdout.readline().split()
            assert word == "child"
            for _ in range(rng.randrange(1, 60)):
                word, told = parent.stdout.readline().split()
                assert word == "done"
            with pytest.raises(BlockingIOError, match=rf"process: {child} on .*close that one"):
                begin(path)
            time.sleep(rng.random() / 100)
            os.kill(int(child), signal.SIGKILL)
            # What was said to be done before the kill is done; the pipe may still hold some of it.
            while True:
                position = parent.stdout.readline()
                if not position.startswith("done"):
                    break
                told = position.split()[1]
            if position:  # the line of the next child, which works on meanwhile
                parent.stdout = Pushed(position, parent.stdout)
            session = reopen(path)
            records = [json.loads(line) for line in lines_of(path)]
            actions = sum(record.get("do") in ("accept", "reject") for record in records)
            undone = sum(record.get("do") == "undo" for record in records)
            assert int(told) <= actions <= int(told) + 1
            assert undone in (actions // 7, actions // 7 - 1)
            decisions = session.decisions.tolist()[:5]
            if undone == actions // 7:
                assert decisions == stream(actions)
            # It goes on.
            session.accept(4)
            wanted = state(session)
            session.close()
            session = reopen(path)
            assert state(session) == wanted
            session.close()
        assert parent.wait(30) == 0


class Pushed:
    """A file with one line put back."""

    def __init__(self, line, file):
        self.line, self.file = line, file

    def readline(self):
        line, self.line = self.line, None
        return line or self.file.readline()

    def close(self):
        getattr(self.file, "close", lambda: None)()


def test_every_action_is_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    session = begin(tmp_path / "a.jsonl")
    synced = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: (synced.append(lines_of(session.path)), real(file))
    )
    for _ in act(session):
        session.queue()
    assert len(synced) == 10
    assert synced[-1] == lines_of(session.path)
    session.close()


# --- Cuts and damage -----------------------------------------------------------------------------


def test_a_journal_cut_at_any_byte_keeps_its_whole_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    session = begin(path)
    states = list(act(session))
    session.close()
    whole = path.read_bytes()
    lines = lines_of(path)  # a header, one line for the opening, the actions
    assert len(lines) == len(states) + 1
    ends = np.cumsum([len(line) for line in lines])
    ours = tmp_path / "cut.jsonl"
    (tmp_path / "cut.jsonl.likelihood.npz").write_bytes(
        (tmp_path / "a.jsonl.likelihood.npz").read_bytes()
    )
    for cut in range(len(whole) + 1):
        ours.write_bytes(whole[:cut])
        complete = int(np.count_nonzero(ends - 1 <= cut))
        starts = np.concatenate([[0], ends])
        torn = cut > starts[complete] if complete < len(lines) else False
        # The file is read at every cut, and a session opened near the ends of lines and at more.
        header, records, problems = journal._parse(whole[:cut], ours)
        assert (header is not None) == (complete > 0)
        assert len(records) == max(complete - 1, 0)
        assert [p.line for p in problems] == ([complete + 1] if torn else [])
        near = np.abs(ends - cut).min() <= 2
        if not near and cut % 40:
            continue
        session = reopen(ours, problems=int(torn))
        assert state(session) == states[max(complete - 2, 0)]
        assert ours.read_bytes().startswith(whole[:cut])
        # It goes on behind the torn line, which is told of once.
        session.reject(2)
        wanted = state(session)
        session.close()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            session = begin(ours)
        assert state(session) == wanted
        assert len(session.problems) == int(torn)
        session.close()


def test_a_changed_line_is_left_out_and_reported_and_kept(tmp_path):
    path = tmp_path / "a.jsonl"
    session = begin(path)
    states = list(act(session))
    session.close()
    lines = lines_of(path)
    wrong = lines.copy()
    wrong[3] = lines[3].replace(b'"branches": [1, 3]', b'"branches": [2, 3]')
    assert wrong != lines
    path.write_bytes(b"".join(wrong))
    session = reopen(path, problems=3)  # the line, and the undo and redo of it
    assert session.problems[0].line == 4
    assert "checksum" in session.problems[0].reason
    assert "[2, 3]" in session.problems[0].text
    assert session.decisions.tolist()[0] == 1
    assert not session.decisions[1:].any()
    assert [s.drawn for s in session.strokes] == [s[0] for s in states[-1][1]]
    session.close()
    assert lines_of(path)[3] == wrong[3]


def test_without_a_header_the_actions_are_read_all_the_same(tmp_path):
    path = tmp_path / "a.jsonl"
    session = begin(path)
    states = list(act(session))
    session.close()
    lines = lines_of(path)
    path.write_bytes(b"#" + b"".join(lines))
    session = reopen(path, problems=1)
    assert state(session) == states[-1]
    session.close()
    session = begin(path)  # a new header was added
    assert state(session) == states[-1]
    session.close()
    # The likelihood that was kept is not overwritten by another one.
    path.write_bytes(b"#" + b"".join(lines))
    with pytest.raises(ValueError, match="another likelihood"):
        begin(path, likelihood=IMAGE / 2)
    with pytest.warns(UserWarning, match="line 1"):
        session = begin(path, likelihood=None)
    assert state(session) == states[-1]
    session.close()


def test_actions_that_do_not_fit_are_reported(tmp_path):
    path = tmp_path / "a.jsonl"
    begin(path).close()
    file = Journal(path)
    middle = int(begin(None).branches.paths[0][1])
    for number, record in enumerate(
        [
            {"do": "accept", "branches": [99], "at": [0]},
            {"do": "accept", "branches": [0], "at": [24]},
            {"do": "accept", "branches": "all"},
            {"do": "draw", "path": [25], "radius": 1},
            {"do": "draw", "path": [3], "radius": -1},
            {"do": "redo", "of": 7},
            {"do": "dance"},
            {"what": 1},
            {"do": "accept", "branches": [0], "at": [middle]},
        ],
        1,
    ):
        file.append(record | {"n": number})
    file.close()
    session = reopen(path, problems=8)
    reasons = " ".join(problem.reason for problem in session.problems)
    for words in (
        "no such branch",
        "somewhere else",
        "outside the image",
        "no action 7",
        "'dance'",
    ):
        assert words in reasons
    assert session.decisions.tolist()[0] == 1
    assert session.progress().actions == 1
    session.reject(1)
    assert json.loads(lines_of(path)[-1])["n"] == 10
    session.close()


def test_lines_that_an_editor_ended_in_its_own_way_are_read(tmp_path):
    path = tmp_path / "a.jsonl"
    session = begin(path)
    states = list(act(session))
    session.close()
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    session = reopen(path)
    assert state(session) == states[-1]
    session.close()


@pytest.mark.parametrize("content", [b"\x89PNG\r\n", b"{}\n", b"[1, 2]\n", b"hello"])
def test_what_is_no_journal_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no journal"):
        begin(path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["photo.png"]


def test_a_later_version_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    file = Journal(path)
    file.append({"journal": "toposeg_lite annotation", "version": 3})
    file.close()
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match="version 3; this version of toposeg_lite reads versions 1 and 2"
    ):
        begin(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("written", [0, 30])
def test_a_full_disk_changes_nothing(tmp_path, monkeypatch, written):
    path = tmp_path / "a.jsonl"
    session = begin(path)
    session.accept(0)
    before, content = state(session), path.read_bytes()
    real, begun = os.write, []

    def fail(file, data):
        if written and not begun:
            begun.append(True)
            return real(file, data[:written])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        for step in (lambda: session.reject(1), session.undo, lambda: session.draw([(0, 0)])):
            begun.clear()
            with pytest.raises(OSError, match="No space left"):
                step()
            assert begun == [True] * (written > 0)
    assert state(session) == before
    assert path.read_bytes() == content
    session.reject(1)
    wanted = state(session)
    session.close()
    session = reopen(path)
    assert state(session) == wanted
    session.close()


# --- Whose journal -------------------------------------------------------------------------------


def test_a_second_session_is_refused_until_the_first_is_closed(tmp_path):
    path = tmp_path / "a.jsonl"
    first = begin(path)
    content = path.read_bytes()
    with pytest.raises(BlockingIOError, match=r"process: this one.*session\.close\(\)"):
        begin(path)
    assert path.read_bytes() == content
    first.accept(0)
    first.close()
    first.close()
    for step in (lambda: first.accept(1), first.undo, first.redo, lambda: first.draw([(0, 0)])):
        with pytest.raises(ValueError, match="closed"):
            step()
    with begin(path) as second:
        assert second.decisions[0] == 1
    begin(path).close()


def test_a_session_that_is_forgotten_frees_its_journal(tmp_path):
    path = tmp_path / "a.jsonl"
    session = begin(path)
    session.accept(0)
    del session
    with begin(path) as again:
        assert again.decisions[0] == 1


def test_a_session_that_cannot_begin_frees_the_journal_and_writes_nothing(tmp_path):
    path = tmp_path / "a.jsonl"
    with pytest.raises(ValueError, match="likelihood must be given"):
        begin(path, likelihood=None)
    assert not path.exists()
    begin(path).close()


def test_other_images_likelihoods_and_settings_are_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    begin(path).close()
    content = path.read_bytes()
    other = IMAGE.copy()
    other[4, 4] = 0.61
    with pytest.raises(ValueError, match=r"journal of another image.*shape \(5, 5\)"):
        begin(path, image=other)
    with pytest.raises(ValueError, match="journal of another image"):
        begin(path, image=IMAGE.astype(np.float32))
    with pytest.raises(ValueError, match=r"another likelihood. Pass None.*likelihood\.npz"):
        begin(path, likelihood=other)
    with pytest.raises(ValueError, match=r"other settings: {'min_persistence': 0\.1}"):
        begin(path, min_persistence=0.2)
    with pytest.raises(ValueError, match=r"other settings: {'connectivity': 2}"):
        begin(path, connectivity=1)
    assert path.read_bytes() == content
    session = begin(path, likelihood=None)
    assert np.array_equal(session.likelihood, IMAGE)
    session.close()


def test_a_journal_that_calls_the_threshold_persistence_opens(tmp_path):
    path = tmp_path / "a.jsonl"
    begin(path).close()
    header = json.loads(lines_of(path)[0])
    header["settings"]["persistence"] = header["settings"].pop("min_persistence")
    path.write_bytes(b"")
    first = Journal(path)
    first.append({name: header[name] for name in header if name not in ("time", "check")})
    first.close()
    before = lines_of(path)
    with begin(path) as session:
        session.accept(0)
    with begin(path) as session:
        assert session.decisions[0] == 1
    assert lines_of(path)[:1] == before
    with pytest.raises(ValueError, match=r"other settings: {'min_persistence': 0\.1}"):
        begin(path, min_persistence=0.2)


def test_the_kept_likelihood_must_be_whole(tmp_path):
    path = tmp_path / "a.jsonl"
    begin(path).close()
    kept = tmp_path / "a.jsonl.likelihood.npz"
    content = kept.read_bytes()
    kept.write_bytes(content[:-30])
    with pytest.raises(ValueError, match="cannot be read"):
        begin(path, likelihood=None)
    np.savez(kept, likelihood=IMAGE / 2)
    with pytest.raises(ValueError, match="is not the likelihood"):
        begin(path, likelihood=None)
    kept.unlink()
    with pytest.raises(ValueError, match="is gone"):
        begin(path, likelihood=None)
    begin(path).close()


def likelihood_file(path, shape, count, kind="|b1", version=1):
    """Write an npz whose header promises a shape, with so many zeros."""
    head = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("likelihood.npy", "w", force_zip64=True) as file,
    ):
        file.write(b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(head)) + head)
        for start in range(0, count, 2**24):
            file.write(bytes(min(2**24, count - start)))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is counted otherwise")
def test_a_likelihood_file_is_bounded_before_it_is_unpacked(tmp_path):
    """Two megabytes ask for two gigabytes; so does a small array with much behind it."""
    begin(tmp_path / "a.jsonl").close()
    kept = tmp_path / "a.jsonl.likelihood.npz"
    code = (
        "import sys, numpy as np\n"
        "from toposeg_lite.annotation import AnnotationSession\n"
        "from toposeg_lite.memory import peak_memory\n"
        "peak = lambda: int(peak_memory()) // 2**20\n"
        "before = peak()\n"
        "try: AnnotationSession(np.load(sys.argv[2]), None, sys.argv[1])\n"
        "except ValueError as error: print(peak() - before, error, sep='|')"
    )
    np.save(tmp_path / "image.npy", IMAGE)
    for shape, words in (
        (
            (46341, 46341),
            r"cannot be read: holds 2,147,488,281 values .*TOPOSEG_MAX_PIXELS to 2147",
        ),
        ((5, 5), "its header says 25 bytes, which is not what it holds"),
    ):
        likelihood_file(kept, shape, 46341**2)
        arguments = [str(tmp_path / "a.jsonl"), str(tmp_path / "image.npy")]
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        megabytes, sentence = done.stdout.split("|")
        assert int(megabytes) < 60
        assert re.search(words, sentence)


def test_the_bound_of_a_likelihood_file_can_be_raised(tmp_path, monkeypatch):
    begin(tmp_path / "a.jsonl").close()
    monkeypatch.setenv("TOPOSEG_MAX_PIXELS", "24")
    with pytest.raises(ValueError, match=r"holds 25 values .*TOPOSEG_MAX_PIXELS to 25 or more"):
        begin(tmp_path / "a.jsonl", likelihood=None)
    monkeypatch.setenv("TOPOSEG_MAX_PIXELS", "25")
    begin(tmp_path / "a.jsonl", likelihood=None).close()


def test_a_likelihood_file_holds_numbers_and_no_pickle(tmp_path):
    path = tmp_path / "a.jsonl"
    begin(path).close()
    kept = tmp_path / "a.jsonl.likelihood.npz"
    np.savez(kept, likelihood=np.array([[{}]], dtype=object))
    with pytest.raises(ValueError, match="it holds no numbers"):
        begin(path, likelihood=None)
    np.savez(kept, another=IMAGE)
    with pytest.raises(ValueError, match=r"cannot be read: .*likelihood\.npy"):
        begin(path, likelihood=None)
    likelihood_file(kept, (5, 5), 25, version=3)
    with pytest.raises(ValueError, match="it holds no array of numbers"):
        begin(path, likelihood=None)
    likelihood_file(kept, (5, 5), 24)
    with pytest.raises(ValueError, match="its header says 25 bytes, which is not what it holds"):
        begin(path, likelihood=None)
    likelihood_file(kept, (-5, 5), 25)
    with pytest.raises(ValueError, match="is damaged: its header says shape"):
        begin(path, likelihood=None)


def test_a_mutated_likelihood_file_raises_a_value_error(tmp_path):
    path = tmp_path / "a.jsonl"
    begin(path).close()
    kept = tmp_path / "a.jsonl.likelihood.npz"
    whole, generator = kept.read_bytes(), random.Random(3)
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(generator.randint(1, 4)):
            content[generator.randrange(len(content))] = generator.randrange(256)
        kept.write_bytes(content)
        said = ""
        try:
            begin(path, likelihood=None).close()
        except ValueError as error:
            said = str(error)
        assert not said or str(kept) in said


def test_the_order_of_memory_does_not_matter(tmp_path):
    path = tmp_path / "a.jsonl"
    with begin(path) as first:
        first.accept(0)
    others = (
        {"image": np.asfortranarray(IMAGE)},
        {"image": IMAGE.astype(">f8"), "likelihood": IMAGE},
    )
    for other in others:
        with begin(path, **other) as session:
            assert session.decisions[0] == 1


# --- Where nothing can be written -----------------------------------------------------------------


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def read_only(monkeypatch, folder):
    """Refuse to open a folder's files for writing, as a disk does that is mounted to be read."""
    real = os.open

    def refuse(path, flags, *more, **options):
        if flags & (os.O_WRONLY | os.O_RDWR) and os.path.dirname(path) == str(folder):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, flags, *more, **options)

    monkeypatch.setattr(os, "open", refuse)


@pytest.mark.parametrize("kind", ["full", "read-only"])
@pytest.mark.parametrize("likelihood", [IMAGE, None])
def test_a_journal_that_cannot_be_written_is_opened_to_look_and_export(
    tmp_path, monkeypatch, kind, likelihood
):
    path = tmp_path / "a.jsonl"
    session = begin(path)
    wanted = list(act(session))[-1]
    session.close()
    content = path.read_bytes()
    with monkeypatch.context() as patch:
        if kind == "full":
            patch.setattr(os, "write", full)
        else:
            read_only(patch, path.parent)
        with pytest.warns(UserWarning, match=r"a\.jsonl cannot be written.* actions are refused"):
            session = begin(path, likelihood=likelihood)
        reason = "No space left" if kind == "full" else "Read-only file system"
        assert session.obstacle.startswith(reason)
        assert state(session) == wanted
        session.queue(), session.progress(), session.effect(0)
        session.export(tmp_path / "another disk" / "a.png")
        session.export(tmp_path / "another disk" / "a.geojson")
        trial = session.copy()
        trial.accept(4)
        assert trial.decisions[4] == 1
        assert simulate_annotator(session, IMAGE > 0.5).clicks[-1] > 0
        for step in (lambda: session.accept(1), session.undo, lambda: session.draw([(0, 0)])):
            with pytest.raises(OSError, match=rf"{reason}.*a\.jsonl.*All that it holds is kept"):
                step()
        assert state(session) == wanted
    assert path.read_bytes() == content
    if kind == "full":  # room was made meanwhile
        session.accept(4)
        assert session.obstacle == ""
        records = [json.loads(line) for line in lines_of(path)]
        assert [record["do"] for record in records[-2:]] == ["open", "accept"]
    session.close()
    reopen(path).close()


@pytest.mark.parametrize("after", [0, 1, 40])
@pytest.mark.parametrize("broken", ["write", "fsync"])
def test_a_new_journal_on_a_full_disk_leaves_no_file(tmp_path, monkeypatch, after, broken):
    real, written = getattr(os, broken), []

    def fail(file, *data):
        written.append(data)
        if len(written) > (after > 1) or not data:
            full()
        return real(file, *(part[:after] for part in data))

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match=r"No space left.*a\.jsonl.* cannot be written"):
        begin(tmp_path / "a.jsonl")
    assert os.listdir(tmp_path) == []


def test_a_new_journal_that_cannot_be_made_is_refused_with_its_name(tmp_path, monkeypatch):
    read_only(monkeypatch, tmp_path)
    with pytest.raises(OSError, match=r"Read-only.*a\.jsonl cannot be written. Nothing was begun"):
        begin(tmp_path / "a.jsonl")
    assert os.listdir(tmp_path) == []


def test_a_session_whose_disk_fills_keeps_what_it_has(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    session = begin(path)
    session.accept(0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match=r"No space left.*a\.jsonl cannot be written, .* free"):
            session.accept(1)
        assert "No space left" in session.obstacle
    session.reject(1)
    assert session.obstacle == ""
    wanted = state(session)
    session.close()
    session = reopen(path)
    assert state(session) == wanted
    session.close()


def test_a_journal_to_read_does_not_keep_its_owner_out(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    owner = begin(path)
    owner.accept(0)
    with monkeypatch.context() as patch:
        read_only(patch, tmp_path)
        with pytest.warns(UserWarning, match="Read-only"):
            visitor = begin(path, likelihood=None)
    assert visitor.decisions[0] == 1
    owner.accept(1)
    owner.close()
    begin(path).close()
    visitor.close()


def test_a_stroke_is_no_wider_than_the_image():
    session = begin(None)
    tracemalloc.start()
    for act in (session.draw, session.erase):
        assert act([(0, 0)], radius=30_000).radius == np.hypot(5, 5)
        assert session.mask().all() == (act == session.draw)
    wide = begin(None, radius=1e9)
    wide.accept(range(len(wide.branches)))
    assert wide.mask().all()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5e6


def test_a_journal_of_a_radius_beyond_the_image_draws_what_it_drew(tmp_path):
    path = tmp_path / "a.jsonl"
    begin(path).close()
    file = Journal(path)
    file.append({"do": "draw", "path": [12], "radius": 30_000, "n": 1})
    file.close()
    session = reopen(path)
    assert session.mask().all()
    session.close()
