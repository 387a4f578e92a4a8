"""SIGKILL at any moment loses no more than the action in flight, and changes no number.

The moments are drawn from a seed, over the time that the whole work takes. Each test holds at any
moment, so it cannot fail by chance.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from training_data import assert_same

from toposeg_lite.training import load_checkpoint

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the work is done in forks")
HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "notebooks"
CHAPTER = "04_warp_masks_without_tearing"
DAILY, NIGHTLY = 2, 50


class Worker:
    """The program `killed_work.py`, which forks for each piece of work."""

    def __init__(self, errors):
        path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.errors = errors
        with errors.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "killed_work.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env={**os.environ, "PYTHONPATH": path, "NO_PROXY": "127.0.0.1"},
            )
        assert self.read() == ["ready"]

    def read(self):
        line = self.process.stdout.readline().split()
        assert line, self.errors.read_text()
        return line

    def work(self, kind, folder, kill_after=None):
        """Do a piece of work, killed after some seconds; return how it ended, and what it said."""
        self.process.stdin.write(f"{kind} {folder}\n")
        self.process.stdin.flush()
        said = [self.read(), self.read()]  # of two processes, in any order
        assert sorted(line[0] for line in said) == ["begun", "child"]
        began = time.perf_counter()
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(int(next(line[1] for line in said if line[0] == "child")), signal.SIGKILL)
        said = []
        while (line := self.read())[0] != "ended":
            said.append(line)
        self.seconds = time.perf_counter() - began
        assert line[1] in ("0", "killed"), self.errors.read_text()
        return line[1] == "0", [int(number) for _, number in said]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(60) == 0


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    made = Worker(tmp_path_factory.mktemp("worker") / "errors.txt")
    yield made
    made.close()


def kill_often(worker, kind, count, place, *, prepare=None, check=None, same=None):
    """Kill a kind of work so many times, and have it end; `same` compares with an unbroken run.

    After each kill `check` looks at the folder and at what the work said. Every fifth kill at the
    latest the work may go on to its end.
    """
    rng = random.Random(f"{kind} {count}")
    whole = place / "whole"
    whole.mkdir()
    if prepare:
        prepare(whole)
    assert worker.work(kind, whole)[0]
    span, kills, ends = worker.seconds, 0, 0
    while kills < count:
        folder = place / f"{kind}-{ends}"
        folder.mkdir()
        if prepare:
            prepare(folder)
        done, told = False, []
        for _ in range(5):
            if kills == count or done:
                break
            done, said = worker.work(kind, folder, rng.uniform(0, span))
            kills += not done
            told += said
            if check:
                check(folder, whole, told)
        if not done:
            assert worker.work(kind, folder)[0]
        same(folder, whole)
        no_leftovers(folder)
        ends += 1
    print(f"\n{kind}: {kills} kills, {ends} works, each of {span:.2f} s; all ended the same")


def no_leftovers(folder):
    left = [p.name for p in folder.rglob("*") if re.search(r"\.(partial|lock)$", p.name)]
    assert left == []


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


COUNTS = [DAILY, pytest.param(NIGHTLY, marks=pytest.mark.nightly)]
often = pytest.mark.parametrize("count", COUNTS)


# --- Training and studies ------------------------------------------------------------------------


def same_network(first, second):
    assert_same(first, second)
    np.testing.assert_array_equal(first.validation.to_numpy(), second.validation.to_numpy())
    assert first.best.keys() == second.best.keys()
    for name, tensor in first.best.items():
        np.testing.assert_array_equal(tensor.numpy(), second.best[name].numpy())


@often
def test_training(worker, tmp_path, count):
    def check(folder, whole, told):
        if (folder / "net.safetensors").exists():
            found = load_checkpoint(folder / "net.safetensors")
            assert len(found.history) == found.step <= 12

    def same(folder, whole):
        same_network(*(load_checkpoint(each / "net.safetensors") for each in (folder, whole)))

    kill_often(worker, "training", count, tmp_path, check=check, same=same)


def numbers_of_study(folder):
    results = json.loads((folder / "study.json").read_text())
    for entries in results["networks"].values():
        for entry in entries.values():
            del entry["seconds_per_step"], entry["share_of_loss"]
    return results, (folder / "study.csv").read_bytes()


@often
def test_study(worker, tmp_path, count):
    def check(folder, whole, told):
        for path in folder.rglob("*.safetensors"):
            load_checkpoint(path)
        for path in folder.rglob("*.json"):
            json.loads(path.read_text())

    def same(folder, whole):
        assert numbers_of_study(folder) == numbers_of_study(whole)
        for path in whole.rglob("*.safetensors"):
            other = folder / path.relative_to(whole)
            same_network(load_checkpoint(path), load_checkpoint(other))

    kill_often(worker, "study", count, tmp_path, check=check, same=same)


# --- Downloads -----------------------------------------------------------------------------------


@pytest.fixture
def server():
    """Serve eight files slowly."""
    rng = random.Random(2)
    bodies = {f"part{k % 2}/{k}.bin": rng.randbytes(120_000) for k in range(8)}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = bodies[self.path.removeprefix("/r/")]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                for place in range(0, len(body), 20_000):
                    self.wfile.write(body[place : place + 20_000])
                    time.sleep(0.003)
            except OSError:  # the client was killed
                pass

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}/r/", bodies
    http.shutdown()
    thread.join()
    http.server_close()


@often
def test_download(worker, tmp_path, count, server):
    address, bodies = server
    hashes = {path: hashlib.sha256(body).hexdigest() for path, body in bodies.items()}
    registry = {"repository": "r", "commit": "c", "bytes": 960_000, "files": hashes}

    def prepare(folder):
        about = {"registry": registry, "server": address}
        (folder / "about.json").write_text(json.dumps(about))

    def check(folder, whole, told):
        for path, body in files_of(folder / "root").items():
            assert path.endswith(".partial") or body == bodies[path.removeprefix("tiny/")]

    def same(folder, whole):
        assert files_of(folder / "root" / "tiny") == bodies

    kill_often(worker, "download", count, tmp_path, prepare=prepare, check=check, same=same)


# --- Annotation ----------------------------------------------------------------------------------


@often
def test_annotation(worker, tmp_path, count):
    from killed_work import ACTIONS, annotated, likelihood

    from toposeg_lite.annotation import AnnotationSession

    image = likelihood()

    def state(session):
        strokes = [(s.drawn, s.path.tolist(), s.radius) for s in session.strokes]
        return session.decisions.tolist(), strokes, session.mask().tolist()

    def opened(folder):
        with AnnotationSession(image, image, folder / "eye.jsonl") as session:
            return session.progress().actions, state(session)

    def check(folder, whole, told):
        # Looked at in a copy, so that the work itself opens what the kill has left.
        copy = folder.parent / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        if (copy / "eye.jsonl").exists():
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*lines could not be used")  # one torn line
                actions, found = opened(copy)
            assert max(told, default=0) <= actions <= max(told, default=0) + 1
            told.append(actions)  # what is known now may not be lost by the next kill
            assert found == state(annotated(actions))
        else:
            assert told == []

    def same(folder, whole):
        assert opened(folder) == opened(whole)
        assert opened(folder)[0] == ACTIONS

    kill_often(worker, "annotation", count, tmp_path, check=check, same=same)


# --- Exports and chapters ------------------------------------------------------------------------


@often
def test_export(worker, tmp_path, count):
    from killed_work import ACTIONS, KINDS, annotated

    wanted = []
    for actions in (7, ACTIONS):
        place = tmp_path / f"after-{actions}"
        place.mkdir()
        for kind in KINDS:
            annotated(actions).export(place / f"mask{kind}")
        wanted.append(files_of(place))

    def check(folder, whole, told):
        for name, content in files_of(folder).items():
            assert name.endswith(".partial") or content in [each[name] for each in wanted]

    def same(folder, whole):
        assert files_of(folder) == wanted[1]

    kill_often(worker, "export", count, tmp_path, check=check, same=same)


@often
def test_chapters(worker, tmp_path, count):
    def prepare(folder):
        """A workbook of one chapter whose stored notebook was edited in Jupyter."""
        (folder / "source").mkdir()
        (folder / "solutions").mkdir()
        shutil.copy(NOTEBOOKS / "build.py", folder)
        shutil.copy(NOTEBOOKS / "source" / f"{CHAPTER}.py", folder / "source")
        shutil.copy(NOTEBOOKS / f"{CHAPTER}.ipynb", folder)
        solved = folder / "solutions" / f"{CHAPTER}.ipynb"
        stored = json.loads((NOTEBOOKS / "solutions" / f"{CHAPTER}.ipynb").read_text())
        stored["cells"][0]["source"][0] += " (edited)"
        solved.write_text(json.dumps(stored))

    first = tmp_path / "first"
    first.mkdir()
    prepare(first)
    before = files_of(first)

    def check(folder, whole, told):
        after = files_of(whole)
        for name, content in files_of(folder).items():
            assert name.endswith(".partial") or content in (before.get(name), after.get(name))

    def same(folder, whole):
        found, after = files_of(folder), files_of(whole)
        assert {name: found[name] for name in after} == after
        assert f"source/{CHAPTER}.py" in after
        assert after[f"source/{CHAPTER}.py"] != before[f"source/{CHAPTER}.py"]

    kill_often(worker, "build", count, tmp_path, prepare=prepare, check=check, same=same)
