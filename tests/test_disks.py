"""Full disks, folders that may only be read, two processes at once: a clear message, nothing torn.

The disks are real ones: small file systems in memory, which only a superuser of Linux may mount.
Elsewhere these tests are skipped.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from killed_work import do_study
from training_data import DATA, TINY, assert_same

from toposeg_lite import files
from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.files import atomic_file, check_room, one_writer, write_atomically
from toposeg_lite.training import TrainConfig, load_checkpoint, loop, train
from toposeg_lite.training.checkpoint import checkpoint_size
from toposeg_lite.workbook.studies import Arm, Study, StudyConfig
from toposeg_lite.workbook.studies import study as studies_study

IMAGE = np.random.default_rng(0).random((24, 30)).round(2)
STUDY = StudyConfig(
    TrainConfig("brick", patch=16, batch=2, width=2, depth=2, checkpoint_every=1),
    (Arm("rank", "topological", {"matching": "rank"}, (0.1,)),),
    seeds=(0,), pretrain_steps=2, finetune_steps=2,
)  # fmt: skip


def mounted(place, options):
    """Mount a small disk, or skip."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only a superuser of Linux may mount a disk")
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path):
    """A disk of 256 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted(place, "size=256k")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk, but=0):
    """Fill a disk so that `but` bytes are free, and return the file that does."""
    stuff = disk / "stuff"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    stuff.write_bytes(b"x" * (free - but))
    return stuff


def read_only(disk):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


# --- Files ---------------------------------------------------------------------------------------


def test_a_full_disk_keeps_the_file_and_names_what_is_missing(disk):
    path = disk / "note.txt"
    write_atomically(path, b"before")
    fill(disk, but=8192)
    text = (
        r"No space left on device: .*/note\.txt cannot be written; it needs 100,000 bytes and "
        r"[\d,]+ bytes are free\. What it held before is kept"
    )
    with pytest.raises(OSError, match=text) as caught:
        write_atomically(path, b"x" * 100_000)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"before"
    with pytest.raises(OSError, match="Nothing was written"):
        write_atomically(disk / "new.txt", b"x" * 100_000)
    assert sorted(p.name for p in disk.iterdir()) == ["note.txt", "stuff"]


def test_a_disk_to_read_is_named(disk):
    write_atomically(disk / "note.txt", b"before")
    read_only(disk)
    with pytest.raises(OSError, match=r"Read-only file system: .*note\.txt cannot be written"):
        write_atomically(disk / "note.txt", b"after")
    with one_writer(disk / "note.txt"):  # there is nothing to wait for
        assert (disk / "note.txt").read_bytes() == b"before"


def test_what_killed_writers_left_is_removed_and_living_ones_are_let_be(tmp_path):
    path = tmp_path / "a [1]*.txt"  # no pattern of a shell
    dead = path.with_name(f"{path.name}.00c0ffee.partial")
    other = path.with_name("b.txt.00c0ffee.partial")
    for file in (dead, other):
        file.write_bytes(b"half")
    with atomic_file(path) as living:
        assert not dead.exists()
        living.write(b"mine")
        write_atomically(path, b"theirs")
        assert Path(living.name).exists()
        assert path.read_bytes() == b"theirs"
    assert path.read_bytes() == b"mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, other.name]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_on_the_way_leaves_nothing(tmp_path, error):
    def stop(file):
        file.write(b"half")
        raise error

    with pytest.raises(error), atomic_file(tmp_path / "note.txt") as file:
        stop(file)
    assert list(tmp_path.iterdir()) == []


def test_long_names_have_room_for_their_ending(tmp_path):
    path = tmp_path / ("ü" * 120)
    write_atomically(path, b"1")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


WRITER = """
import sys
from toposeg_lite.files import write_atomically
for k in range(200):
    write_atomically(sys.argv[1], sys.argv[2].encode() * 100_000)
"""


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "file"
    both = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), letter], stderr=subprocess.PIPE)
        for letter in "ab"
    ]
    for process in both:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said.decode()
    assert path.read_bytes() in (b"a" * 100_000, b"b" * 100_000)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.fixture
def waiting(monkeypatch):
    """A semaphore that is released by everybody who says that he waits for another writer."""
    told = threading.Semaphore(0)

    def warn(message, **_):
        assert re.search("net[.a-z]* is being made by another process: waiting", message)
        told.release()

    monkeypatch.setattr(files, "warnings", SimpleNamespace(warn=warn))
    return told


def test_one_writer_waits_for_the_other(tmp_path, waiting):
    path, order = tmp_path / "net", []

    def second():
        with one_writer(path):
            order.append("second")

    with one_writer(path):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.acquire(timeout=60)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "net.lock").write_bytes(b"")  # of a process that was killed
    with one_writer(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_room_is_asked_for_in_words(monkeypatch, tmp_path):
    usage = SimpleNamespace(total=10**9, free=1_500_000)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: usage)
    check_room(tmp_path, 1_500_000, "the notes")
    with pytest.raises(OSError, match=r"the notes need 2\.5 MB in .*, where 1\.5 MB are free"):
        check_room(tmp_path, 2_500_000, "the notes")
    usage.total = usage.free = 0  # a drive that says nothing
    check_room(tmp_path, 2_500_000, "the notes")


# --- Training ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more", [{}, {"validate_every": 2}, {"width": 6, "depth": 3, "steps": 3}], ids=str
)
def test_the_size_of_a_checkpoint_is_known_before(tmp_path, more):
    config = replace(TINY, **more)
    end = train(config, data=DATA, progress=False)
    end.save(tmp_path / "net")
    size = (tmp_path / "net").stat().st_size
    assert size <= checkpoint_size(end.model(), config) <= 1.2 * size


def test_a_run_without_room_for_its_checkpoints_is_refused_before_its_first_step(disk):
    fill(disk, but=16_384)
    text = r"No space left on device: the checkpoints of net\.safetensors need .* are free"
    with pytest.raises(OSError, match=text):
        train(TINY, data=DATA, out=disk / "net.safetensors", progress=False)
    assert [p.name for p in disk.iterdir()] == ["stuff"]
    (disk / "stuff").unlink()
    train(TINY, data=DATA, out=disk / "net.safetensors", progress=False)


def test_a_disk_that_fills_in_training_keeps_the_last_checkpoint(disk, monkeypatch):
    path, draw, made = disk / "net.safetensors", loop.draw_batch, []

    def fill_later(*arguments, step, **options):
        made.append(step)
        if step == 3:
            fill(disk)
        return draw(*arguments, step=step, **options)

    monkeypatch.setattr(loop, "draw_batch", fill_later)
    text = (
        r"No space left .*net\.safetensors cannot be written; it needs [\d,]+ bytes and .* free\. "
        r"What it held before is kept\. The run ended at step 4; .* resume=True goes on from"
    )
    with pytest.raises(OSError, match=text):
        train(TINY, data=DATA, out=path, progress=False)
    assert made == [0, 1, 2, 3, 4]  # the next crops are drawn while a step is computed
    assert load_checkpoint(path).step == 2
    monkeypatch.undo()
    (disk / "stuff").unlink()
    resumed = train(TINY, data=DATA, out=path, resume=True, progress=False)
    assert_same(resumed, train(TINY, data=DATA, progress=False))


def test_another_number_of_threads_is_told(tmp_path):
    path = tmp_path / "net.safetensors"
    half = train(replace(TINY, steps=6), data=DATA, out=path, progress=False)
    now = torch.get_num_threads()
    assert half.threads == load_checkpoint(path).threads == now
    unfinished = replace(half, step=4, history=half.history[:4], threads=now + 1)
    unfinished.save(path)
    with pytest.warns(UserWarning, match=rf"was trained with {now + 1} threads .* with {now}: "):
        end = train(TINY, data=DATA, out=path, resume=True, progress=False)
    assert end.threads == now
    replace(unfinished, threads=None).save(path)  # as older files are: nobody knows
    assert load_checkpoint(path).threads is None
    train(TINY, data=DATA, out=path, resume=True, progress=False)


def test_a_run_waits_for_another_one_of_its_file_and_reads_what_that_made(
    tmp_path, monkeypatch, waiting
):
    path, ends = tmp_path / "net.safetensors", []
    whole = train(TINY, data=DATA, progress=False)
    monkeypatch.setattr(loop, "draw_batch", None)  # nothing is trained again

    def run():
        ends.append(train(TINY, data=DATA, out=path, resume=True, progress=False))

    thread = threading.Thread(target=run)
    with one_writer(path):
        thread.start()
        assert waiting.acquire(timeout=60)
        assert ends == []
        whole.save(path)
    thread.join(120)
    assert_same(ends[0], whole)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


# --- Studies -------------------------------------------------------------------------------------


def study(folder):
    return Study(STUDY, folder, data=DATA, say=lambda line: None).run()


def test_a_study_on_a_full_disk_goes_on_when_there_is_room(disk, tmp_path):
    fill(disk, but=40_000)
    with pytest.raises(OSError, match=r"No space left .* (need|needs) .* free"):
        study(disk / "study")
    (disk / "stuff").unlink()
    study(disk / "study")
    study(tmp_path / "whole")
    scores = [(place / "study.csv").read_bytes() for place in (disk / "study", tmp_path / "whole")]
    assert scores[0] == scores[1]
    read_only(disk)
    with pytest.raises(OSError, match=r"no file can be written in .*study.*: Read-only file"):
        study(disk / "study")  # refused at the door


@pytest.mark.parametrize("choose_on", ["each", "first"])
def test_a_study_asks_for_the_room_of_all_its_networks_before_the_first(
    tmp_path, monkeypatch, choose_on
):
    """It asks for as much as they take in the end, and after a stop for what is missing."""
    asked = []
    monkeypatch.setattr(
        studies_study, "check_room", lambda folder, size, text: asked.append((size, text))
    )
    arm = replace(STUDY.arms[0], weights=(0.1, 1.0))
    config = replace(STUDY, arms=(arm,), seeds=(0, 1), choose_on=choose_on)
    place = tmp_path / "study"
    Study(config, place, data=DATA, say=lambda line: None).run()
    networks = sorted(place.glob("seed*/*.safetensors"))
    assert len(networks) == (8 if choose_on == "each" else 7)
    taken = sum(path.stat().st_size for path in networks)
    size, text = asked.pop()
    assert taken <= size <= 1.2 * taken
    assert text == f"the {len(networks)} networks of the study that are still to be trained"
    for path in networks[-2:]:  # an arm of the second seed, and its control or parent
        path.unlink()
    Study(config, place, data=DATA, say=lambda line: None).run()
    assert asked.pop()[1].startswith("the 2 networks")
    Study(config, place, data=DATA, say=lambda line: None).run()
    assert asked.pop() == (0, "the 0 networks of the study that are still to be trained")
    assert asked == []


def test_a_study_without_room_for_its_networks_trains_none(disk):
    fill(disk, but=90_000)
    arms = tuple(replace(STUDY.arms[0], name=f"rank{k}", weights=(0.1, 1.0)) for k in range(6))
    config = replace(STUDY, arms=arms)
    text = r"No space left on device: the 14 networks of the study .* need .* Nothing was begun"
    with pytest.raises(OSError, match=text):
        Study(config, disk / "study", data=DATA, say=lambda line: None).run()
    assert not list((disk / "study").rglob("*.safetensors"))


@pytest.mark.parametrize("name", ["control.test.json", "control.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{}", b'{"images": 3', b"\0" * 100])
def test_a_changed_file_of_a_study_is_named(tmp_path, name, content):
    study(tmp_path)
    path = tmp_path / "seed0" / name
    whole = path.read_bytes()
    path.write_bytes(content)
    if content == b"{}" and name.endswith("json"):  # the scores of no network: made anew
        study(tmp_path)
        assert path.read_bytes() == whole
        return
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} is no .* that can be read"):
        study(tmp_path)
    assert path.read_bytes() == content


TWIN = """
import sys, warnings
from pathlib import Path
from killed_work import do_study
do_study(Path(sys.argv[1]))
"""


def test_two_studies_in_one_folder_end_with_the_same_numbers(tmp_path):
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-W", "ignore", "-c", TWIN]
    both = [
        subprocess.Popen(
            [*command, str(tmp_path / "both")],
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        for _ in "ab"
    ]
    do_study(tmp_path / "alone")
    for process in both:
        _, said = process.communicate(timeout=600)
        assert process.returncode == 0, said.decode()
    alone, shared = (tmp_path / name / "study.csv" for name in ("alone", "both"))
    assert alone.read_bytes() == shared.read_bytes()
    for path in (tmp_path / "alone").rglob("*.safetensors"):
        other = tmp_path / "both" / path.relative_to(tmp_path / "alone")
        assert_same(load_checkpoint(path), load_checkpoint(other))
    assert not [p for p in tmp_path.rglob("*") if re.search("partial|lock$", p.name)]


# --- Annotation ----------------------------------------------------------------------------------


def test_a_new_journal_on_a_full_disk_leaves_nothing(disk):
    fill(disk)
    with pytest.raises(OSError, match=r"No space left.*eye\.jsonl.* cannot be written"):
        AnnotationSession(IMAGE, IMAGE, disk / "eye.jsonl")
    assert [p.name for p in disk.iterdir()] == ["stuff"]


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_journal_is_opened_where_nothing_can_be_written(disk, tmp_path, kind):
    path = disk / "eye.jsonl"
    with AnnotationSession(IMAGE, IMAGE, path) as session:
        session.accept(0)
        wanted = session.mask()
    if kind == "full":
        fill(disk)
        with open(path, "ab") as file:  # empty lines up to the end of its last page
            file.write(b"\n" * (-path.stat().st_size % 4096))
    else:
        read_only(disk)
    content = path.read_bytes()
    with pytest.warns(UserWarning, match=r"eye\.jsonl cannot be written.*actions are refused"):
        session = AnnotationSession(IMAGE, None, path)
    with session:
        np.testing.assert_array_equal(session.mask(), wanted)
        session.export(tmp_path / "mask.png")
        with pytest.raises(OSError, match=r"(No space left|Read-only).*All that it holds is kept"):
            session.accept(1)
        np.testing.assert_array_equal(session.mask(), wanted)
        with pytest.raises(OSError, match=r"mask\.png cannot be written|no file can be written"):
            session.export(disk / "mask.png")
    assert path.read_bytes() == content
    assert (tmp_path / "mask.png").exists()
