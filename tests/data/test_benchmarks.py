"""The benchmarks: how their files come in, and what is in them.

Tests of the download use a server on this machine. Tests of the splits use small stand-ins for the
files. Tests of the real images run where the environment variable TOPOSEG_DATA names a folder that
holds them, and are skipped elsewhere.
"""

from __future__ import annotations

import csv
import errno
import functools
import hashlib
import importlib.util
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pooch
import pytest
from PIL import Image
from scipy import ndimage
from scipy.io import loadmat, savemat
from skimage import measure

from toposeg_lite import files
from toposeg_lite.data import benchmarks, download, list_datasets, load_dataset
from toposeg_lite.files import atomic_file
from toposeg_lite.topology import betti_numbers

SPLITS = ("train", "validation", "test")
NAMES = tuple(benchmarks.TERMS)
DATA = os.environ.get("TOPOSEG_DATA")
ROADS = {"kind": "roads"}
GROUPS = {"angles": 121, "colors": 171, "shadows": 321}  # and the number of its first image


@pytest.fixture(autouse=True)
def user_cache(tmp_path_factory, monkeypatch):
    """Keep the user's cache, and what this process has shown, out of the tests."""
    cache = tmp_path_factory.mktemp("cache") / "toposeg_lite"
    monkeypatch.setattr(download, "_user_cache", lambda: cache)
    monkeypatch.setattr(download, "_SHOWN", set())
    return cache


def everything(dataset):
    return [sample for split in SPLITS for sample in getattr(dataset, split)]


def names(dataset):
    return {split: [sample.name for sample in getattr(dataset, split)] for split in SPLITS}


# ---------------------------------------------------------------------------------------------
# Download, from a server on this machine
# ---------------------------------------------------------------------------------------------

TINY = {f"folder/{k}.txt": f"file {k}".encode() for k in range(5)}


class Server:
    """Serve TINY; count requests; refuse or spoil some files."""

    def __init__(self):
        self.asked, self.refused, self.spoiled = [], set(), set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.removeprefix("/someone/tiny/abc/")
                outer.asked.append(path)
                sent = path in TINY and path not in outer.refused
                body = TINY[path] if sent else b"no"
                if path in outer.spoiled:
                    body = body[:-1]
                self.send_response(200 if sent else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.http.server_port}"

    def stop(self):
        if self.thread.is_alive():
            self.http.shutdown()
            self.thread.join()
            self.http.server_close()


@pytest.fixture
def server(monkeypatch):
    server = Server()
    hashes = {path: hashlib.sha256(body).hexdigest() for path, body in TINY.items()}
    tiny = {"repository": "someone/tiny", "commit": "abc", "bytes": 30_000_000, "files": hashes}
    monkeypatch.setattr(download, "registry", lambda: {"tiny": tiny})
    monkeypatch.setattr(download, "_SERVER", server.address + "/{repository}/{commit}/")
    monkeypatch.setattr(download, "_RETRIES", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("TOPOSEG_DATA", raising=False)
    yield server
    server.stop()


def fetch(root=None):
    return download.fetch("tiny", root, terms="be kind")


def held(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_are_downloaded_once_with_one_progress_bar(server, tmp_path, capsys, monkeypatch):
    level, lines = pooch.get_logger().level, []
    monkeypatch.setattr(pooch.get_logger(), "handle", lines.append)
    folder = fetch(tmp_path / "root")
    assert folder == tmp_path / "root" / "tiny"
    assert held(folder) == TINY
    assert sorted(server.asked) == sorted(TINY)
    shown = capsys.readouterr().err
    assert "Downloading tiny (30 MB in all)" in shown
    assert "5/5" in shown
    assert not lines, "no line for each file"
    assert pooch.get_logger().level == level
    fetch(tmp_path / "root")
    assert len(server.asked) == 5
    assert capsys.readouterr().err == ""


def test_a_download_that_was_cut_off_goes_on_where_it_stopped(server, tmp_path):
    server.refused = {"folder/3.txt"}
    with pytest.raises(OSError, match=r"2 of 5 files of tiny are not in .*503.*call again"):
        fetch(tmp_path)
    assert sorted(held(tmp_path / "tiny")) == [f"folder/{k}.txt" for k in range(3)]
    server.refused = set()
    server.asked.clear()
    fetch(tmp_path)
    assert server.asked == ["folder/3.txt", "folder/4.txt"]
    assert held(tmp_path / "tiny") == TINY


def test_what_arrives_damaged_is_refused_and_leaves_nothing(server, tmp_path):
    server.spoiled = {"folder/1.txt"}
    wanted = hashlib.sha256(TINY["folder/1.txt"]).hexdigest()
    address = re.escape(f"{server.address}/someone/tiny/abc/folder/1.txt")
    with pytest.raises(ValueError, match=f"{address} did not arrive.*expected SHA-256 {wanted}"):
        fetch(tmp_path)
    assert sorted(held(tmp_path / "tiny")) == ["folder/0.txt"]


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_damaged_file_in_a_folder_of_the_user_is_named_and_kept(
    server, tmp_path, monkeypatch, by_variable
):
    fetch(tmp_path)
    damaged = tmp_path / "tiny" / "folder" / "2.txt"
    damaged.write_bytes(b"mine")
    (tmp_path / "tiny" / "folder" / "4.txt").unlink()
    server.asked.clear()
    wanted = hashlib.sha256(TINY["folder/2.txt"]).hexdigest()
    if by_variable:
        monkeypatch.setenv("TOPOSEG_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=rf"1 of 5 files of tiny .*2\.txt has .*expected {wanted}"):
        fetch(None if by_variable else tmp_path)
    assert damaged.read_bytes() == b"mine"
    assert server.asked == []


def test_a_damaged_file_in_the_cache_is_downloaded_again(server, user_cache):
    folder = fetch()
    assert folder == user_cache / "tiny"
    (folder / "folder" / "2.txt").write_bytes(b"half")
    server.asked.clear()
    fetch()
    assert server.asked == ["folder/2.txt"]
    assert held(folder) == TINY


def test_without_a_network_the_message_says_what_to_do(server, tmp_path):
    server.stop()
    place = re.escape(str(tmp_path / "tiny"))
    advice = "With a network, call again.*copy the folder 'tiny'.*root=.*TOPOSEG_DATA"
    with pytest.raises(OSError, match=f"5 of 5 files of tiny are not in {place}.*{advice}"):
        fetch(tmp_path)
    assert held(tmp_path) == {}


def test_complete_folders_need_no_network(server, tmp_path, monkeypatch):
    fetch(tmp_path)
    server.stop()
    assert fetch(str(tmp_path)) == tmp_path / "tiny"
    monkeypatch.setenv("TOPOSEG_DATA", str(tmp_path))
    assert fetch() == tmp_path / "tiny"


def test_root_comes_before_the_variable_and_the_variable_before_the_cache(monkeypatch, user_cache):
    monkeypatch.setenv("TOPOSEG_DATA", "from-variable")
    assert download.data_folder("from-root") == Path("from-root")
    assert download.data_folder() == Path("from-variable")
    assert download.data_folder("~/data") == Path.home() / "data"
    monkeypatch.setenv("TOPOSEG_DATA", "")
    assert download.data_folder() == user_cache


def test_what_killed_downloads_left_is_removed_and_living_ones_are_let_be(server, tmp_path):
    folder = tmp_path / "tiny" / "folder"
    folder.mkdir(parents=True)
    left = folder / "2.txt.0123abcd.partial"
    left.write_bytes(b"half")
    mine = folder / "2.txt.partial"
    mine.write_bytes(b"mine")
    with atomic_file(folder / "3.txt") as living:
        living.write(b"by another process")
        fetch(tmp_path)
        assert not left.exists()
        names = {Path(path).name for path in TINY}
        assert {path.name for path in folder.iterdir()} == names | {
            "2.txt.partial",
            Path(living.name).name,
        }
    left.write_bytes(b"half")
    (folder / "3.txt").write_bytes(TINY["folder/3.txt"])
    fetch(tmp_path)  # which finds all there
    assert {path.name for path in folder.iterdir()} == names | {"2.txt.partial"}


def test_a_disk_without_room_is_told_before_the_first_file(server, tmp_path, monkeypatch):
    monkeypatch.setattr(
        files.shutil, "disk_usage", lambda _: SimpleNamespace(total=1, free=12_345_678)
    )
    with pytest.raises(OSError, match=r"the files of tiny need 30\.0 MB in .* 12\.3 MB are free"):
        fetch(tmp_path)
    assert server.asked == []
    assert held(tmp_path) == {}


def test_a_disk_that_fills_on_the_way_keeps_what_has_arrived(server, tmp_path, monkeypatch):
    real, done = os.fsync, []

    def fail(file):
        done.append(file)
        if len(done) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file)

    monkeypatch.setattr(os, "fsync", fail)
    text = "No space left on device: 3 of 5 files of tiny .* about 18.0 MB are needed, .* is kept"
    with pytest.raises(OSError, match=text):
        fetch(tmp_path)
    monkeypatch.undo()
    assert sorted(held(tmp_path / "tiny")) == ["folder/0.txt", "folder/1.txt"]


def test_terms_are_shown_once_until_they_change(server, tmp_path, capsys, monkeypatch):
    def shown(terms):
        download.fetch("tiny", tmp_path, terms=terms)
        return terms in capsys.readouterr().err

    assert shown("be kind")
    assert not shown("be kind")
    monkeypatch.setattr(download, "_SHOWN", set())  # as in another process
    assert not shown("be kind")
    assert shown("be very kind")
    assert not shown("be very kind")


def test_terms_are_shown_once_in_a_process_where_nothing_can_be_remembered(
    server, tmp_path, capsys, user_cache
):
    user_cache.parent.mkdir(exist_ok=True)
    user_cache.write_text("a file where a folder is wanted")
    fetch(tmp_path)
    assert "be kind" in capsys.readouterr().err
    fetch(tmp_path)
    assert capsys.readouterr().err == ""


def test_terms_come_before_the_download(server, tmp_path, capsys):
    server.stop()
    with pytest.raises(OSError, match="could not be downloaded"):
        fetch(tmp_path)
    assert "be kind" in capsys.readouterr().err


def test_every_file_has_a_pinned_address_and_a_hash():
    table = download.registry()
    parts = [f"topomortar_{group}" for group in GROUPS]
    assert tuple(table) == ("topomortar", *parts, *NAMES[1:])
    assert {name: source["folder"] for name, source in table.items() if "folder" in source} == (
        dict.fromkeys(parts, "topomortar")
    )
    for source in table.values():
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", source["repository"])
        assert re.fullmatch(r"[0-9a-f]{40}", source["commit"])
        assert all(re.fullmatch(r"[0-9a-f]{64}", wanted) for wanted in source["files"].values())
        assert all(re.fullmatch(r"[\w./-]+", path) for path in source["files"])
    assert {name: len(source["files"]) for name, source in table.items()} == {
        "topomortar": 4 * 50 + 4 * 20 + 2 * 50,
        **dict.fromkeys(parts, 2 * 50),
        "chase_db1": 3 * 28,
        "isbi2012_membranes": 2 * 30,
        "crackforest": 2 * 118,
        "epfl_roads": 2 * 100,
        "vesselnn_3d": 2 * 9,
        "betti_matching_examples": 2 * 6,
    }


def test_the_address_is_the_raw_file_at_the_commit():
    address = download._SERVER.format(**download.registry()["chase_db1"])
    assert address == (
        "https://raw.githubusercontent.com/mipple1986/data/"
        "92b9449a2e7a38dbd4c62825418dafcd5eba4fec/"
    )


# ---------------------------------------------------------------------------------------------
# Splits and options, on stand-ins for the files
# ---------------------------------------------------------------------------------------------


def code(key):
    """A number from 10 to 240 for an image and all its masks."""
    return 10 + hashlib.sha256(key.encode()).digest()[0] % 230


def stand_in(path, key):
    """Write an image of value `code(key)`, or a mask with as many pixels of structure.

    The masks of another kind (noisy, pseudo, second observer) have one, or two, pixels more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.as_posix()
    value = code(key)
    if "/groundTruth/" in text:
        labels = np.ones((16, 20), np.uint8)
        labels.flat[:value] = 2
        labels.flat[value] = 4
        labels.flat[value + 1 :] = 3
        kinds = np.zeros((1, 1), dtype=[("Segmentation", "O")])
        kinds[0, 0]["Segmentation"] = labels
        savemat(path, {"groundTruth": kinds})
        return
    is_mask = re.search(r"/(accurate|noisy|pseudo|label|labels|groundtruth)/|HO\.png", text)
    more = 1 if re.search(r"/noisy/|2ndHO", text) else 2 if "/pseudo/" in text else 0
    if path.suffix == ".tif":
        if is_mask:
            volume = np.zeros((4, 10, 10), np.uint16 if "santos" in text else np.uint8)
            volume.flat[:value] = 254 if "santos" in text else 255
        else:
            volume = np.full((4, 10, 10), value, np.uint8)
        pages = [Image.fromarray(page) for page in volume]
        pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_lzw")
    elif is_mask:
        mask = np.zeros((16, 20), np.uint8)
        mask.flat[: value + more] = 255
        image = Image.fromarray(255 - mask if "/label/" in text else mask)
        (image.convert("1") if "HO" in text else image).save(path)
    else:
        grey = "/membrane/" in text or "/CREMI/" in text
        shape = (16, 20) if grey else (16, 20, 3)
        Image.fromarray(np.full(shape, value, np.uint8)).save(path)


def key_of(name, path):
    """What an image and its masks have in common in their paths."""
    stem = Path(path).stem
    if name == "chase_db1":
        return stem.split("_")[1]
    if name == "vesselnn_3d":
        return re.split("_(?=BM4D|label|manual)", stem)[0]
    return stem.split("_")[-1]


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory):
    root = tmp_path_factory.mktemp("stand-ins")
    for name, source in download.registry().items():
        for path in source["files"]:
            stand_in(root / source.get("folder", name) / path, key_of(name, path))
    return root


@pytest.fixture
def load(stand_ins, monkeypatch):
    """Return `load_dataset` on the stand-ins, whose hashes count as right."""
    table = {
        name: source
        | {
            "files": {
                path: hashlib.sha256(
                    (stand_ins / source.get("folder", name) / path).read_bytes()
                ).hexdigest()
                for path in source["files"]
            }
        }
        for name, source in download.registry().items()
    }
    monkeypatch.setattr(download, "registry", lambda: table)
    return functools.partial(load_dataset, root=stand_ins)


OPTIONS = [
    *((name, {}) for name in NAMES),
    *(("topomortar", {"group": group}) for group in GROUPS),
    ("betti_matching_examples", ROADS),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_images_meet_their_own_masks(load, name, options):
    dataset = load(name, **options)
    for sample in everything(dataset):
        key = {"isbi2012_membranes": sample.name.removeprefix("slice-").lstrip("0") or "0"}
        value = code(key.get(name, sample.name))
        assert abs(sample.image * 255 - value).max() < 1.5  # jpg may be off by one
        assert sample.mask.sum() == value, sample.name
        assert sample.mask.flat[: sample.mask.sum()].all()


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_every_data_set_is_what_the_docstring_says(load, name, options):
    dataset = load(name, **options)
    assert dataset.name == name
    assert dataset.terms == benchmarks.TERMS[name]
    assert dataset.reference == "expert"
    walls = name in ("topomortar", "isbi2012_membranes") or (name[:5] == "betti" and not options)
    assert dataset.labels == ("background" if walls else "foreground")
    assert dataset.ndim == (3 if name == "vesselnn_3d" else 2)
    assert dataset.patch == (32 if name == "vesselnn_3d" else 64)
    grey = name in ("isbi2012_membranes", "vesselnn_3d") or (name[:5] == "betti" and not options)
    assert dataset.channels == (1 if grey else 3)
    listed = [sample.name for sample in everything(dataset)]
    assert len(set(listed)) == len(listed)
    for sample in everything(dataset):
        assert sample.image.dtype == np.float32
        assert sample.mask.dtype == np.bool_
        assert sample.image.shape == (dataset.channels, *sample.mask.shape)
        assert sample.image.flags.c_contiguous
        assert sample.mask.flags.c_contiguous
        assert sample.image.flags.writeable


def test_the_names_follow_those_without_a_download():
    assert list_datasets()[8:] == list(NAMES)


def test_topomortar_keeps_the_split_of_its_authors(load):
    splits = names(load("topomortar"))
    assert splits["train"] == [f"{k:03d}" for k in range(1, 51)]
    assert splits["validation"] == [f"{k:03d}" for k in range(51, 71)]
    assert splits["test"] == [f"{k:03d}" for k in range(71, 121)]


@pytest.mark.parametrize("group", GROUPS)
def test_topomortar_tests_on_a_group_and_trains_as_ever(load, group):
    splits, usual = names(load("topomortar", group=group)), names(load("topomortar"))
    assert splits["test"] == [f"{k:03d}" for k in range(GROUPS[group], GROUPS[group] + 50)]
    assert [splits[split] for split in SPLITS[:2]] == [usual[split] for split in SPLITS[:2]]


def test_topomortar_trains_with_ten_images(load):
    splits, usual = names(load("topomortar", training=10)), names(load("topomortar"))
    assert len(splits["train"]) == 10
    assert set(splits["train"]) < set(usual["train"])
    assert [splits[split] for split in SPLITS[1:]] == [usual[split] for split in SPLITS[1:]]


def test_a_group_of_topomortar_is_fetched_when_it_is_asked_for(load, stand_ins, tmp_path):
    alone = tmp_path / "topomortar"
    for path in download.registry()["topomortar"]["files"]:
        (alone / path).parent.mkdir(parents=True, exist_ok=True)
        (alone / path).write_bytes((stand_ins / "topomortar" / path).read_bytes())
    assert len(load_dataset("topomortar", root=tmp_path).test) == 50
    spoiled = alone / "dataset/test/images/171.png"
    spoiled.write_bytes(b"not it")
    assert len(load_dataset("topomortar", root=tmp_path).test) == 50
    with pytest.raises(ValueError, match=r"1 of 100 files of topomortar_colors.*171\.png"):
        load_dataset("topomortar", root=tmp_path, group="colors")


def test_epfl_roads_is_split_by_photograph(load):
    splits = names(load("epfl_roads"))
    assert [len(part) for part in splits.values()] == [60, 20, 20]
    assert list(chain(*splits.values())) == [f"{k:03d}" for k in range(1, 101)]


@pytest.mark.parametrize(("labels", "more"), [("accurate", 0), ("noisy", 1), ("pseudo", 2)])
def test_topomortar_tests_with_accurate_masks_whatever_it_trains_with(load, labels, more):
    dataset = load("topomortar", labels=labels)
    for split in SPLITS:
        extra = 0 if split == "test" else more
        assert all(s.mask.sum() == code(s.name) + extra for s in getattr(dataset, split))


def test_other_files_of_a_whole_clone_are_left_alone(load, stand_ins):
    stranger = stand_ins / "topomortar/dataset/test/images/121.png"
    stranger.write_bytes((stranger.parent / "120.png").read_bytes())
    assert len(load("topomortar").test) == 50


def test_chase_db1_is_split_by_person(load):
    splits = names(load("chase_db1"))
    persons = {split: {name[:2] for name in splits[split]} for split in SPLITS}
    for first, second in combinations(SPLITS, 2):
        assert not persons[first] & persons[second]
    assert {split: len(persons[split]) for split in SPLITS} == {
        "train": 8, "validation": 2, "test": 4,
    }  # fmt: skip
    assert sorted(chain(*splits.values())) == [f"{k:02d}{s}" for k in range(1, 15) for s in "LR"]


def test_chase_db1_has_two_observers(load):
    second = load("chase_db1", observer=2)
    assert all(sample.mask.sum() == code(sample.name) + 1 for sample in everything(second))


def test_isbi_is_split_into_blocks_of_the_stack(load):
    splits = names(load("isbi2012_membranes"))
    slices = {split: [int(name[6:]) for name in splits[split]] for split in SPLITS}
    for block in slices.values():
        assert block == list(range(block[0], block[-1] + 1))
    assert list(chain(*slices.values())) == list(range(30))
    assert [len(block) for block in slices.values()] == [19, 6, 5]


def test_crackforest_keeps_the_crack_photographed_twice_in_one_split(load):
    splits = names(load("crackforest"))
    assert {"001", "095"} <= set(splits["train"])
    assert [len(part) for part in splits.values()] == [60, 24, 34]
    assert sorted(chain(*splits.values())) == [f"{k:03d}" for k in range(1, 119)]
    assert {"042", "065"} <= set(splits["train"]), "they have one mask"


def test_crackforest_strands_are_asked_for(load):
    for sample in everything(load("crackforest", strands=True)):
        assert sample.mask.sum() == code(sample.name) + 1


def test_vesselnn_is_split_by_field(load):
    splits = names(load("vesselnn_3d"))
    where = {name: split for split in SPLITS for name in splits[split]}
    assert len(where) == 9
    assert where["poon2015_BBB_Leakage"] == where["poon2015_BBB_noLeakage"]
    santos = [split for name, split in where.items() if name.startswith("santos2015")]
    assert santos == ["test", "test"]


def test_the_examples_of_betti_matching_are_for_looking(load):
    for options in ({}, ROADS):
        dataset = load("betti_matching_examples", **options)
        assert [len(part) for part in names(dataset).values()] == [0, 0, 3]


def test_the_seed_leaves_benchmarks_alone(load):
    assert names(load("chase_db1", seed=3)) == names(load("chase_db1"))


# ---------------------------------------------------------------------------------------------
# The real images
# ---------------------------------------------------------------------------------------------


def real(name):
    """Skip a test unless the real files are there."""
    there = DATA is not None and (Path(DATA) / name).is_dir()
    reason = f"{name} is not here: TOPOSEG_DATA names no folder that holds it"
    return pytest.mark.skipif(not there, reason=reason)


@functools.cache
def real_data(name, **options):
    return load_dataset(name, root=DATA, **options)


@pytest.fixture(scope="module", autouse=True)
def _give_the_memory_back():
    yield
    real_data.cache_clear()


def of(name, sample, **options):
    return next(s for s in everything(real_data(name, **options)) if s.name == sample)


def each(*cases):
    return [pytest.param(*case, marks=real(case[0])) for case in cases]


@pytest.mark.parametrize(
    ("name", "options", "counts", "shapes", "least", "most"),
    each(
        ("topomortar", {}, (50, 20, 50), {(3, 512, 512)}, 0.16, 0.42),
        *(
            ("topomortar", {"group": group}, (50, 20, 50), {(3, 512, 512)}, 0.1, 0.5)
            for group in GROUPS
        ),
        ("epfl_roads", {}, (60, 20, 20), {(3, 400, 400)}, 0.005, 0.5),
        ("chase_db1", {}, (16, 4, 8), {(3, 960, 999)}, 0.05, 0.09),
        ("isbi2012_membranes", {}, (19, 6, 5), {(1, 512, 512)}, 0.16, 0.27),
        ("crackforest", {}, (60, 24, 34), {(3, 320, 480)}, 0.003, 0.064),
        (
            "vesselnn_3d",
            {},
            (5, 2, 2),
            {(1, 26, 320, 320), *((1, depth, 512, 512) for depth in (10, 14, 15, 21, 25))},
            0.03,
            0.43,
        ),
        ("betti_matching_examples", {}, (0, 0, 3), {(1, 312, 312)}, 0.18, 0.20),
        ("betti_matching_examples", ROADS, (0, 0, 3), {(3, 375, 375)}, 0.04, 0.07),
    ),
)
def test_real_counts_sizes_and_shares_of_structure(name, options, counts, shapes, least, most):
    dataset = real_data(name, **options)
    assert tuple(len(getattr(dataset, split)) for split in SPLITS) == counts
    assert {sample.image.shape for sample in everything(dataset)} == shapes
    shares = [sample.mask.mean() for sample in everything(dataset)]
    assert least < min(shares) < max(shares) < most
    for sample in everything(dataset):
        assert 0 <= sample.image.min() < 0.35, sample.name
        assert 0.4 < sample.image.max() <= 1, sample.name


@pytest.mark.parametrize(
    ("name", "options", "sample", "betti"),
    each(
        # Seven whole bricks.
        ("topomortar", {}, "079", (1, 7)),
        # Five whole bricks and one pinhole at the corner of the first.
        ("topomortar", {}, "033", (1, 6)),
        # One net, with four wide and two very small meshes.
        ("chase_db1", {}, "14L", (1, 6)),
        # A vessel left of the disc hangs together with nothing.
        ("chase_db1", {}, "14R", (2, 7)),
        # Cells that lie whole in the slice, and two pieces of membrane apart from the net.
        ("isbi2012_membranes", {}, "slice-17", (3, 64)),
        # The ring of a vesicle in a large cell, and a piece at the right edge.
        ("isbi2012_membranes", {}, "slice-20", (3, 68)),
        # A crack around three islands of asphalt, and a strand below it.
        ("crackforest", {}, "084", (2, 3)),
        # The three strands that have label 4, above it.
        ("crackforest", {"strands": True}, "084", (5, 3)),
        # Two gaps open the loop in the middle; the one on the right is closed.
        ("crackforest", {}, "115", (4, 1)),
        # A net, a wide vessel at the upper edge, two blobs, and seven specks at the borders.
        ("vesselnn_3d", {}, "santos2015_lowContrastVessels", (11, 32, 0)),
        # Six vessels and a voxel; five cavities of one voxel.
        ("vesselnn_3d", {}, "santos2015_mixedSizelowContrastVessels", (7, 41, 5)),
        # Blocks of houses and turning circles.
        ("betti_matching_examples", ROADS, "0111", (12, 22)),
        ("betti_matching_examples", ROADS, "0113", (5, 23)),
    ),
)
def test_real_betti_numbers_checked_by_eye(name, options, sample, betti):
    mask = of(name, sample, **options).mask
    assert betti_numbers(mask) == betti
    outside = np.pad(~mask, 1, constant_values=True)
    parts = measure.label(mask, connectivity=mask.ndim).max()
    closed = measure.label(outside, connectivity=1).max() - 1
    assert (parts, closed) == (betti[0], betti[-1])
    assert measure.euler_number(mask, mask.ndim) == sum(b * (-1) ** k for k, b in enumerate(betti))


@pytest.mark.parametrize(
    ("name", "options", "channel", "bright"),
    each(
        ("isbi2012_membranes", {}, 0, False),
        ("betti_matching_examples", {}, 0, False),
        ("chase_db1", {}, 1, False),
        ("crackforest", {}, 1, False),
        ("vesselnn_3d", {}, 0, True),
    ),
)
def test_real_structure_is_on_the_right_side(name, options, channel, bright):
    """Membranes, fundus vessels and cracks are dark, vessels in two-photon volumes bright."""
    for sample in everything(real_data(name, **options)):
        values = sample.image[channel]
        flat = np.ones((3,) * sample.mask.ndim)
        around = ndimage.binary_dilation(sample.mask, flat, iterations=4) & ~sample.mask
        inside, outside = values[sample.mask].mean(), values[around].mean()
        if (name, sample.name) in (("crackforest", "054"), ("crackforest", "042")):
            continue  # filled with bright sand; the mask of another photograph
        assert (inside > outside) == bright, sample.name


@pytest.mark.parametrize(
    ("name", "parts", "parts_apart", "specks", "closed", "pinholes"),
    each(
        ("chase_db1", 82, 9921, 0, 432, 62),
        ("crackforest", 316, 924, 44, 119, 28),
        ("vesselnn_3d", 565, 1238, 47, 9, 9),
    ),
)
def test_real_numbers_of_the_docstrings(name, parts, parts_apart, specks, closed, pinholes):
    counts = np.zeros(5, dtype=int)
    for sample in everything(real_data(name)):
        outside = np.pad(~sample.mask, 1, constant_values=True)
        sizes = np.bincount(measure.label(sample.mask).ravel())[1:]
        holes = np.bincount(measure.label(outside, connectivity=1).ravel())[2:]
        apart = measure.label(sample.mask, connectivity=1).max()
        counts += [len(sizes), apart, (sizes <= 4).sum(), len(holes), (holes <= 4).sum()]
    assert counts.tolist() == [parts, parts_apart, specks, closed, pinholes]
    told = getattr(benchmarks, name).__doc__
    wanted = [parts, closed, pinholes] if name == "chase_db1" else [parts, specks, closed]
    assert all(re.search(rf"\b{number}\b", told) for number in wanted)


@real("topomortar")
def test_real_mortar_is_one_net_and_the_authors_count_the_same():
    table = Path(DATA, "topomortar/dataset/betti_numbers.csv")
    if table.is_file():
        with table.open() as file:
            counted = {
                row["ID"]: (int(row["Betti0"]), int(row["Betti1"])) for row in csv.DictReader(file)
            }
    else:
        counted = {"078": (1, 68), "075": (1, 38), "085": (1, 45), "086": (1, 48)}
    tests = {sample.name: betti_numbers(sample.mask) for sample in real_data("topomortar").test}
    assert {name: betti for name, betti in counted.items() if name in tests} == {
        name: betti for name, betti in tests.items() if name in counted
    }


@real("topomortar")
def test_real_groups_and_the_ten_are_those_of_the_authors():
    folder = Path(DATA, "topomortar/dataset")
    with (folder / "dataset_types.txt").open() as file:
        group_of = {row["ID"]: row["group"] for row in csv.DictReader(file)}
    for group in ("indistr", *GROUPS):
        tests = real_data("topomortar", group=group).test
        assert {group_of[sample.name] for sample in tests} == {group}
    small = (folder / "splits_small.yaml").read_text().partition("train:")[2].partition("val:")[0]
    listed = sorted(re.findall(r"(\d{3})\.png", small))
    assert listed == names(load_dataset("topomortar", root=DATA, training=10))["train"]


@real("epfl_roads")
def test_real_roads_are_grey_and_mostly_connected():
    folder = Path(DATA, "epfl_roads/data/training/groundtruth")
    values = np.stack([np.array(Image.open(path)) for path in sorted(folder.glob("*.png"))])
    told = re.search(r"\((\d+) % of the pixels are", benchmarks.epfl_roads.__doc__)[1]
    assert round(100 * float(((values > 0) & (values < 255)).mean())) == int(told)
    masks = [sample.mask for sample in everything(real_data("epfl_roads"))]
    np.testing.assert_array_equal(np.stack(masks), values >= 128)


@real("topomortar")
def test_real_noisy_labels_are_thin_and_pseudo_labels_blotted():
    accurate = real_data("topomortar").validation
    noisy, pseudo = (
        load_dataset("topomortar", root=DATA, labels=labels).validation
        for labels in ("noisy", "pseudo")
    )
    for exact, crooked, guessed in zip(accurate, noisy, pseudo, strict=True):
        assert exact.name == crooked.name == guessed.name
        assert (exact.mask != crooked.mask).mean() > 0.02
        assert (exact.mask != guessed.mask).any()
    share, thin, blotted = (np.mean([s.mask.mean() for s in d]) for d in (accurate, noisy, pseudo))
    assert thin < 0.7 * share
    assert blotted > 1.05 * share


@real("chase_db1")
def test_real_observers_of_chase_agree_about_most_of_the_vessels():
    first = everything(real_data("chase_db1"))
    second = everything(load_dataset("chase_db1", root=DATA, observer=2))
    for eye, again in zip(first, second, strict=True):
        dice = 2 * (eye.mask & again.mask).sum() / (eye.mask.sum() + again.mask.sum())
        assert 0.65 < dice < 0.95, eye.name


@real("isbi2012_membranes")
def test_real_slices_are_in_the_order_of_the_stack():
    data = real_data("isbi2012_membranes")
    for block in (data.train, data.validation, data.test):
        small = [s.image[0].reshape(64, 8, 64, 8).mean((1, 3)) for s in block]
        alike = np.corrcoef([image.ravel() for image in small])
        near = np.mean([alike[k, k + 1] for k in range(len(small) - 1)])
        far = np.mean([alike[k, k + 3] for k in range(len(small) - 3)])
        assert near > far + 0.1


@real("crackforest")
def test_real_labels_of_crackforest():
    folder = Path(DATA, "crackforest/groundTruth")
    holds, cracks = {3: set(), 4: set()}, {}
    for k in range(1, 119):
        labels = loadmat(folder / f"{k:03d}.mat")["groundTruth"]["Segmentation"][0, 0]
        assert {1, 2} <= set(np.unique(labels)) <= {1, 2, 3, 4}
        for label, having in holds.items():
            if (labels == label).any():
                having.add(k)
        np.testing.assert_array_equal(of("crackforest", f"{k:03d}").mask, labels == 2)
        cracks[k] = (labels == 2).tobytes()
    assert len(holds[3]) == 22
    assert holds[4] == {84, 102, 107, 111, 117}
    assert cracks[42] == cracks[65], "one of them is wrong"
    assert len(set(cracks.values())) == 117


@real("crackforest")
def test_real_crackforest_shows_one_crack_twice():
    """The reason why 001 and 095 share a split: moved by ten rows, one lies on the other."""
    blurred = {
        s.name: ndimage.gaussian_filter(s.mask.astype(np.float32), 1.5)
        for s in everything(real_data("crackforest"))
    }
    first = blurred.pop("001")[40:300, 37:437].ravel()
    alike = {k: np.corrcoef(first, b[30:290, 40:440].ravel())[0, 1] for k, b in blurred.items()}
    assert alike.pop("095") > 0.6
    assert max(alike.values()) < 0.4


@real("vesselnn_3d")
def test_real_values_of_the_volumes():
    folder = Path(DATA, "vesselnn_3d/labels")
    for path in folder.glob("*.tif"):
        with Image.open(path) as file:
            values = set(np.unique(np.array(file)))
        assert values == ({0, 254} if path.name.startswith("santos") else {0, 255})


@real("vesselnn_3d")
def test_real_pair_of_poon_shows_one_field():
    """The reason why the two share a split."""
    sealed, leaking = (
        of("vesselnn_3d", f"poon2015_BBB_{kind}").image[0].max(0)
        for kind in ("noLeakage", "Leakage")
    )
    assert np.corrcoef(sealed[5:, 4:].ravel(), leaking[:-5, :-4].ravel())[0, 1] > 0.5


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=real(source.get("folder", name)))
        for name, source in download.registry().items()
    ],
)
def test_the_script_makes_the_stored_table(name):
    place = Path(__file__).parents[2] / "tools" / "make_benchmarks.py"
    spec = importlib.util.spec_from_file_location("make_benchmarks", str(place))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.SOURCES = {name: module.SOURCES[name]}
    assert module.make_registry(Path(DATA)) == {name: download.registry()[name]}


@pytest.mark.skipif(
    not DATA or not Path(DATA, "MANIFEST.json").is_file(), reason="no manifest here"
)
def test_the_table_agrees_with_the_manifest():
    listed = {
        (entry["dataset"], entry["path"]): (entry["sha256"], entry["raw_url"])
        for entry in json.loads(Path(DATA, "MANIFEST.json").read_text())
    }
    for name, source in download.registry().items():
        for path, wanted in source["files"].items():
            assert listed[source.get("folder", name), path] == (
                wanted,
                download._SERVER.format(**source) + path,
            )
