"""A sweep: studies as tasks of real processes, one of which is killed; nothing twice."""

from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from training_data import assert_same, rings

from toposeg_lite.training import load_checkpoint
from toposeg_lite.workbook.studies import Study
from toposeg_lite.workbook.studies import sweep as sweeps
from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.study import NOTEBOOKS
from toposeg_lite.workbook.studies.sweep import SweepError, code_digest, read_sweep, run_sweep

distributed = pytest.importorskip("distributed")

STEPS = 60  # so many that a worker can be killed on the way
SMALL = {
    "seeds": [0], "pretrain_steps": 3, "finetune_steps": STEPS, "checkpoint_every": 10,
    "patch": 16, "batch": 2, "width": 2, "depth": 2, "window": 64,
    "arms": [{"name": "lines", "loss": "cldice", "loss_options": {"iterations": 2},
              "weights": [0.5, 2.0]}],
}  # fmt: skip


@pytest.fixture
def shared(tmp_path):
    """Parameters of a study on twelve small pictures of rings."""
    for name in ("images", "masks"):
        (tmp_path / "own" / name).mkdir(parents=True)
    for k, sample in enumerate(rings(12, 0)):
        for name, array in (("images", sample.image[0]), ("masks", sample.mask)):
            picture = Image.fromarray((array * 255).astype(np.uint8))
            picture.save(tmp_path / "own" / name / f"{k}.png")
    return SMALL | {name: str(tmp_path / "own" / name) for name in ("images", "masks")}


def written(tmp_path, **content):
    path = tmp_path / "sweep.yml"
    path.write_text(yaml.safe_dump({"out": str(tmp_path / "runs"), **content}, sort_keys=False))
    return path


def checkpoints(folder):
    """All networks of a folder, by their place in it."""
    return {
        path.relative_to(folder).as_posix(): load_checkpoint(path)
        for path in sorted(folder.rglob("*.safetensors"))
    }


def wait_for(found, stop):
    """Wait until `found` returns something, or something has stopped that should not have."""
    while not (value := found()):
        assert not stop(), "the sweep has ended too early"
        time.sleep(0.005)
    return value


@pytest.fixture(scope="module")
def cluster():
    """Two processes with a scheduler at an address."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        memory_limit=0,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as made:
        yield made


def test_a_killed_worker_loses_one_network_which_another_finishes(tmp_path, shared, cluster):
    file = written(tmp_path, shared=shared, studies=[{"name": "rings"}])
    (study,) = read_sweep(file)
    arm = study.folder / "seed0" / "lines-0.5.safetensors"
    with ThreadPoolExecutor(1) as pool, distributed.Client(cluster) as client:
        pids = client.run(os.getpid)
        assert len(set(pids.values())) == 2
        sweep = pool.submit(run_sweep, file, scheduler=cluster.scheduler_address, progress=False)
        wait_for(arm.exists, sweep.done)
        busy = wait_for(
            lambda: [w for w, keys in client.processing().items() if "lines-0.5" in str(keys)],
            sweep.done,
        )
        os.kill(pids[busy[0]], signal.SIGKILL)
        before = load_checkpoint(arm).step
        assert 3 < before < 3 + STEPS  # in the middle
        table = pd.read_parquet(sweep.result())
        assert busy[0] not in client.scheduler_info()["workers"]
    # What it lost was finished, by the steps that were missing, to the bits of an unbroken study.
    config = study.config()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = Study(config, tmp_path / "whole", say=lambda line: None).run()
    finally:
        torch.set_num_threads(threads)
    ours, theirs = checkpoints(study.folder), checkpoints(tmp_path / "whole")
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert_same(ours[name], theirs[name])
    chosen = {name: of["0"]["weight"] for name, of in whole["networks"].items()}
    assert len(ours) == 4  # parent, control, and the arm in both weights
    # None is counted twice, and none is missing.
    keys = ["study", "split", "network", "weight", "seed", "image"]
    assert not table.duplicated(keys).any()
    data = config.shared.load()
    tests, validations = len(data.test), len(data.validation)
    assert (table["split"] == "test").sum() == tests * 3
    assert (table["split"] == "validation").sum() == validations * 4
    assert set(table["study"]) == {"rings"}
    one = table[(table["split"] == "test") & (table["network"] == "lines")]
    assert set(one["weight"]) == {chosen["lines"]}
    expected = pd.read_csv(tmp_path / "whole" / "study.csv")
    expected = expected[expected["network"] == "lines"]["dice"]
    np.testing.assert_array_equal(one.sort_values(["seed", "image"])["dice"].to_numpy(), expected)


SHORT = {"finetune_steps": 2, "pretrain_steps": 2}


def test_what_is_finished_is_not_repeated_and_what_is_added_is_made(tmp_path, shared, cluster):
    place = {"scheduler": cluster.scheduler_address, "progress": False}
    shared = shared | SHORT | {"seeds": [0, 1]}
    file = written(tmp_path, shared=shared)
    table = pd.read_parquet(run_sweep(file, **place))
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("seed*/*")}
    # The second seed trains the chosen weight alone: 7 networks, of which 6 are compared.
    assert len(first) == 7 + 7 + 6
    (weight,) = set(table[table["split"].eq("test") & table["network"].eq("lines")]["weight"])
    tried = table[table["network"].eq("lines") & table["split"].eq("validation")]
    assert set(zip(tried["seed"], tried["weight"], strict=True)) == {
        (0, 0.5), (0, 2.0), (1, weight)
    }  # fmt: skip
    more = {"name": "thin", "loss": "cldice", "loss_options": {"skeleton": "thin"}, "weights": [1]}
    file = written(tmp_path, shared=shared | {"arms": [*shared["arms"], more]})
    later = pd.read_parquet(run_sweep(file, **place))
    second = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("seed*/*")}
    assert {path: second[path] for path in first} == first
    assert len(second) == len(first) + 2 + 2 + 2
    kept = later[later["network"] != "thin"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, table, check_like=True)
    assert (later["network"] == "thin").sum() > 0


def test_a_grid_gives_every_study_in_every_combination(tmp_path, shared):
    file = written(
        tmp_path, shared=shared, studies=[{"name": "one"}, {"name": "two", "batch": 4}],
        grid={"width": [2, 3], "patch": [[8, 16]]},
    )  # fmt: skip
    studies = {study.name: study.config().shared for study in read_sweep(file)}
    assert {name: (s.batch, s.width, s.patch) for name, s in studies.items()} == {
        "one-width=2-patch=_8_16_": (2, 2, (8, 16)),
        "one-width=3-patch=_8_16_": (2, 3, (8, 16)),
        "two-width=2-patch=_8_16_": (4, 2, (8, 16)),
        "two-width=3-patch=_8_16_": (4, 3, (8, 16)),
    }


def test_the_command_takes_processes_of_its_own(tmp_path, shared, capsys):
    file = written(tmp_path, shared=shared | SHORT)
    assert main(["sweep", str(file), "--workers", "1"]) == 0
    place = tmp_path / "runs" / "sweep.parquet"
    told = capsys.readouterr()
    assert told.out == f"The scores of each image are in {place}.\n"
    assert "dashboard: http://127.0.0.1:" in told.err
    assert "folder: seed 0: parent, validation: Dice" in told.err
    assert set(pd.read_parquet(place)["network"]) == {"parent", "control", "lines"}


def test_minutes_end_a_sweep_which_the_same_call_goes_on_with(tmp_path, shared, capsys):
    file = written(tmp_path, shared=shared, studies=[{"name": "rings"}])
    assert main(["sweep", str(file), "--workers", "1", "--minutes", "1e-6"]) == 1
    told = capsys.readouterr()
    assert "error: the 1e-06 minutes have passed: " in told.err
    assert "parts are still to be made; the same call goes on" in told.err
    assert not told.out
    assert not (tmp_path / "runs" / "sweep.parquet").exists()
    # With minutes enough all is made; what the first call has begun is gone on with.
    table = pd.read_parquet(run_sweep(file, workers=1, minutes=1e4, progress=False))
    assert set(table["network"]) == {"parent", "control", "lines"}


def test_a_sweep_stops_in_the_middle_of_a_training_and_keeps_what_is_made(
    tmp_path, shared, cluster, monkeypatch
):
    file = written(tmp_path, shared=shared, studies=[{"name": "rings"}])
    (study,) = read_sweep(file)
    ended = sweeps._ended

    def two(futures, minutes):
        """Let the minutes be over when the parent and another part are made."""
        for k, future in enumerate(ended(futures, minutes)):
            yield future
            if k == 1:
                return

    monkeypatch.setattr(sweeps, "_ended", two)
    with pytest.raises(SweepError, match=r"^the 5 minutes have passed: 6 of 8 parts are still to"):
        run_sweep(file, scheduler=cluster.scheduler_address, minutes=5, progress=False)
    parent = (study.folder / "seed0" / "parent.safetensors").stat().st_mtime_ns
    monkeypatch.undo()
    table = pd.read_parquet(
        run_sweep(file, scheduler=cluster.scheduler_address, minutes=1e4, progress=False)
    )
    assert set(table["network"]) == {"parent", "control", "lines"}
    assert (study.folder / "seed0" / "parent.safetensors").stat().st_mtime_ns == parent


def test_a_sweep_of_which_a_part_failed_and_the_minutes_passed_tells_both(
    tmp_path, shared, cluster, monkeypatch
):
    broken = {"name": "broken", "learning_rate": 1e300}
    file = written(tmp_path, shared=shared | SHORT, studies=[broken])
    ended = sweeps._ended
    monkeypatch.setattr(sweeps, "_ended", lambda futures, minutes: [next(ended(futures, None))])
    with pytest.raises(SweepError) as told:
        run_sweep(file, scheduler=cluster.scheduler_address, minutes=5, progress=False)
    assert "parts are still to be made; the same call goes on\n1 of " in str(told.value)
    assert "\nbroken: seed 0, " in str(told.value)  # what waited for the parent fails with it


def test_other_code_and_other_parameters_have_folders_of_their_own(tmp_path, shared, monkeypatch):
    file = written(tmp_path, shared=shared | SHORT)
    (study,) = read_sweep(file)
    assert (study.name, study.folder.parent) == ("folder", tmp_path / "runs")
    (longer,) = read_sweep(written(tmp_path, shared=shared | SHORT | {"batch": 3}))
    assert longer.folder != study.folder
    (same,) = read_sweep(written(tmp_path, shared=shared | SHORT | {"checkpoint_every": 9}))
    assert same.folder == study.folder
    (more,) = read_sweep(written(tmp_path, shared=shared | SHORT | {"seeds": [0, 5]}))
    assert more.folder == study.folder
    study.folder.mkdir(parents=True)
    monkeypatch.setattr(sweeps, "code_digest", lambda: "01234567")
    (other,) = read_sweep(file)
    assert other.folder != study.folder
    (taken,) = read_sweep(file, any_code=True)
    assert taken.folder == study.folder


def test_the_digest_of_code_sees_code_and_no_words(tmp_path, monkeypatch):
    place = tmp_path / "checks.py"
    monkeypatch.setattr(sweeps, "PACKAGE", tmp_path)
    monkeypatch.setattr(sweeps, "DECIDING", ("checks.py",))

    def digest(text):
        place.write_text(text)
        code_digest.cache_clear()
        return code_digest()

    try:
        plain = digest("def f(x):\n    return x + 1\n")
        assert digest('"""Words."""\n\n# more\ndef f(x):\n    return (x + 1)\n') == digest(
            '"""Other words."""\ndef f(x):\n    return x + 1\n'
        )
        assert digest("def f(x):\n    return x + 2\n") != plain
        assert digest("def f(x):\n    return x + 1\n") == plain
    finally:
        code_digest.cache_clear()


def test_a_network_that_fails_is_told_and_loses_no_other(tmp_path, shared, cluster, capsys):
    broken = {"name": "broken", "learning_rate": 1e300}
    file = written(tmp_path, shared=shared | SHORT, studies=[{"name": "good"}, broken])
    text = r"parts are missing; the same call tries them again:\nbroken: seed 0"
    with pytest.raises(SweepError, match=text):
        run_sweep(file, scheduler=cluster.scheduler_address, progress=False)
    table = pd.read_parquet(tmp_path / "runs" / "sweep.parquet")
    assert set(table["study"]) == {"good"}


def test_groups_of_test_images_are_splits_of_the_table(tmp_path, cluster):
    given = SMALL | SHORT | {"dataset": "brick", "groups": {"marked": {"masks": "annotated"}}}
    file = written(tmp_path, shared=given)
    place = run_sweep(file, scheduler=cluster.scheduler_address, progress=False)
    table = pd.read_parquet(place)
    assert set(table["split"]) == {"validation", "test", "test-marked"}
    assert set(table["dataset"]) == {"brick"}
    counts = table.groupby("split").size()
    assert counts["test"] == counts["test-marked"]


def test_a_class_of_clusters_is_made_and_scaled(monkeypatch):
    scaled = []

    class Cluster(distributed.LocalCluster):
        """Threads of this process, for what is asked is only which cluster is made."""

        def __init__(self):
            super().__init__(
                n_workers=0, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0",
                protocol="inproc://",
            )  # fmt: skip

        def scale(self, n):
            scaled.append(n)
            return super().scale(n)

    monkeypatch.setattr(distributed, "OneOfTheirs", Cluster, raising=False)
    with sweeps.open_client("distributed.OneOfTheirs", 3) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        assert isinstance(client.cluster, Cluster)
    assert scaled[0] == 3  # and to none when it is closed


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        ("[1, 2]", ValueError, "must map 'studies' and others to values"),
        ("studies: {", ValueError, "sweep.yml"),
        ("studys: []", ValueError, "must have out, shared, studies and grid alone; got 'studys'"),
        ("studies: []", TypeError, "studies must be a list of parameters"),
        ("studies: [brick]", TypeError, "each of studies must map names to values; got 'brick'"),
        ("shared: 3", TypeError, "shared must map names to values; got 3"),
        ("grid: {patch: 3}", TypeError, "grid must map parameters to lists of values; got patch"),
        ("out: 3", TypeError, "out must be a text; got 3"),
        ("shared: {widht: 3}", ValueError, "unknown parameter 'widht'"),
        ("shared: {width: 0}", ValueError, "width must be at least 1; got 0"),
        ("shared: {weight: 3}", ValueError, "a study takes no 'weight'"),
        ("shared: {arms: [topology]}", ValueError, "unknown arm 'topology'"),
        ("studies: [{name: 3}]", TypeError, "name must be a text; got 3"),
        ("studies: [{name: a}, {name: a}]", ValueError, "'a' is there more than once"),
    ],
)
def test_files_that_ask_for_nothing_sensible_are_refused(tmp_path, content, error, text):
    path = tmp_path / "sweep.yml"
    path.write_text(content)
    with pytest.raises(error, match=text):
        read_sweep(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["dask", "distributed", "pyarrow", "yaml"])
def test_what_is_not_installed_is_told_first(tmp_path, shared, monkeypatch, capsys, name):
    file = written(tmp_path, shared=shared | SHORT)
    monkeypatch.setitem(sys.modules, name, None)
    assert main(["sweep", str(file)]) == 1
    told = capsys.readouterr().err
    assert told == (
        f"error: a sweep needs {name}, which is not installed. "
        f"Run: pip install 'toposeg-lite[scale]'\n"
    )
    assert not (tmp_path / "runs").exists()


def test_bad_options_are_refused(tmp_path, shared, capsys):
    file = written(tmp_path, shared=shared | SHORT)
    for options, error, text in [
        ({"workers": 0}, ValueError, "workers must be at least 1"),
        ({"threads": 0.5}, TypeError, "threads must be an integer"),
        ({"scheduler": 3}, TypeError, "scheduler must be a text"),
        ({"scheduler": "nothing.Cluster"}, ValueError, "scheduler must be tcp://HOST:PORT or the"),
        ({"any_code": 1}, TypeError, "any_code must be True or False"),
        ({"minutes": 0}, ValueError, "minutes must be finite and above zero"),
        ({"minutes": "9"}, TypeError, "minutes must be a number"),
        ({"progress": None}, TypeError, "progress must be True or False"),
    ]:
        with pytest.raises(error, match=text):
            run_sweep(file, **{"progress": False, **options})
    with pytest.raises(FileNotFoundError):
        run_sweep(tmp_path / "none.yml")
    assert main(["sweep", str(tmp_path / "none.yml")]) == 1
    assert "none.yml" in capsys.readouterr().err


def test_workers_of_a_cluster_that_is_there_cannot_be_asked_for(
    tmp_path, shared, monkeypatch, capsys
):
    file = written(tmp_path, shared=shared | SHORT)
    asked = []

    @contextmanager
    def stopped(scheduler, workers):
        asked.append((scheduler, workers))
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(sweeps, "open_client", stopped)
    monkeypatch.setattr(sweeps.os, "cpu_count", lambda: 5)
    there = ["--scheduler", "tcp://127.0.0.1:1"]
    assert main(["sweep", str(file), *there, "--workers", "3"]) == 1
    told = capsys.readouterr().err
    assert "workers must be left out with a scheduler that is there, tcp://127.0.0.1:1" in told
    assert "got workers=3" in told
    assert not (tmp_path / "runs").exists()
    assert asked == []
    # Each of the two alone, and with a cluster that is made, which has as many as are asked for.
    made = ["--scheduler", "dask_jobqueue.SLURMCluster"]
    for words in (there, ["--workers", "3"], [*made, "--workers", "3"], made):
        assert main(["sweep", str(file), *words]) == 130
    assert [workers for _, workers in asked[1:]] == [3, 3, 5]
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    assert "not with tcp://HOST:PORT" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "file", sorted((NOTEBOOKS / "studies").glob("*.yml")), ids=lambda p: p.stem
)
def test_the_files_of_the_workbook_ask_for_studies_that_can_be_made(file):
    swept = read_sweep(file)
    assert len({study.folder.parent for study in swept}) == 1
    for study in swept:
        config = study.config()
        assert len(config.seeds) >= 2
        volumes = config.shared.dataset == "vesselnn_3d"
        for arm in config.arms:
            for weight in arm.weights:
                config.arm_config(0, arm, weight).check(3 if volumes else 2, 3)
