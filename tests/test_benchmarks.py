"""The benchmark itself: fair turns, honest verdicts, and no timing of wrong answers."""

import json
import subprocess
import sys

import numpy as np
import pytest
from benchmarks import __main__ as command
from benchmarks import harness, inputs, jobs, memory, peers
from benchmarks.__main__ import main
from benchmarks.groups import GROUPS
from benchmarks.harness import Call, Job, Unavailable


class Scripted:
    """A contender that takes the times it is told to and keeps a diary."""

    def __init__(self, name, diary, seconds, result=0):
        self.name, self.diary, self.times, self.value = name, diary, seconds, result

    def result(self):
        self.diary.append((self.name, "result"))
        return self.value

    def seconds(self, calls):
        self.diary.append((self.name, calls))
        return self.times[min(sum(n == self.name for n, _ in self.diary), len(self.times)) - 1]


def test_contenders_take_turns_after_a_comparison():
    diary = []
    job = Job(
        name="walk",
        size="a mile",
        ours=Scripted("ours", diary, [0.01]),
        peers={
            "fast": Scripted("fast", diary, [0.02]),
            "slow": Scripted("slow", diary, [1.0]),
            "gone": Unavailable("it left"),
        },
        floor=("standing", Scripted("floor", diary, [0.001])),
    )
    rows = harness.measure(job, rounds=5)
    names = ["ours", "fast", "slow", "floor"]
    assert diary[:4] == [(name, "result") for name in names]
    assert diary[4:8] == [(name, 1) for name in names]
    one_round = [
        *[("ours", 1), ("ours", 3), ("fast", 1), ("fast", 2)],
        ("slow", 1),
        *[("floor", 1), ("floor", 30)],
    ]
    rest = [entry for entry in one_round if entry[0] != "slow"]
    assert diary[8:] == 3 * one_round + 2 * rest
    assert [(row.peer, row.ours) for row in rows] == [("fast", 10), ("slow", 10), ("gone", 10)]
    assert [row.theirs for row in rows] == [20, 1000, None]
    assert [row.floor for row in rows] == ["standing", None, None]
    assert rows[0].floor_amount == 1
    assert rows[2].note == "it left"


def test_the_ratio_is_taken_round_by_round():
    # The machine is ten times slower in the second of three rounds: no ratio may notice. The first
    # number is the comparison's, then the estimate, then two for each round (of which one counts).
    ours = Scripted("ours", [], [0, 0.1, 0.1, 0.1, 1.0, 1.0, 0.1, 0.1])
    peer = Scripted("peer", [], [0, 0.2, 0.2, 0.2, 2.0, 2.0, 0.3, 0.3])
    (row,) = harness.measure(Job("walk", "a mile", ours, {"peer": peer}), rounds=3)
    assert row.ratio == pytest.approx(2)
    assert row.ours == pytest.approx(100)
    assert row.theirs == pytest.approx(300)


@pytest.mark.parametrize(
    ("ratio", "required", "met"),
    [(8.0, 8.0, True), (7.9, 8.0, False), (None, 8.0, False), (0.1, None, None)],
)
def test_verdict(ratio, required, met):
    row = harness.Row("walk", "a mile", "ms", 1.0, "peer", ratio, ratio, required)
    assert row.met is met
    assert row.as_dict()["met"] is met
    assert {True: "met", False: "MISSED", None: ""}[met] in harness.table([row])
    assert ("MISSED" in harness.table([row])) == (met is False)


def test_the_table_tells_everything_once():
    row = harness.Row
    text = harness.table(
        [
            row("walk", "a mile", "ms", 1.0, "tortoise", 123.4, 123.4, 8, "hare", 0.1234),
            row("walk", "a mile", "ms", 1.0, "snail", None, None, 8, note="it is asleep"),
            row("swim", "a mile", "B/pixel", 2.0, "whale", 12.34, 6.17, None),
        ]
    )
    lines = text.splitlines()
    told = [" ".join(line.split()) for line in lines]
    assert told[0] == "job size ours peer peer's ratio required floor"
    assert told[2] == "walk a mile 1.00 ms tortoise 123 ms 123.40 >= 8.00 met hare 0.123 ms"
    assert told[3] == "snail not run * >= 8.00 MISSED"
    assert told[4] == "swim a mile 2.00 B/pixel whale 12.3 B/pixel 6.17"
    assert told[5:] == ["* snail: it is asleep"]
    assert {
        line.index(peer) for line, peer in zip(lines[2:5], ("tort", "snail", "whale"), strict=True)
    } == {lines[0].index("peer")}


def test_a_wrong_answer_is_never_timed():
    diary = []

    def same(ours, theirs):
        assert ours == theirs, f"{theirs} is not {ours}"

    job = Job(
        "walk",
        "a mile",
        Scripted("ours", diary, [1], result=1),
        {"peer": Scripted("peer", diary, [1], result=2)},
        same={"peer": same},
    )
    with pytest.raises(AssertionError, match="walk, a mile: peer disagrees: 2 is not 1"):
        harness.measure(job)
    assert all(entry[1] == "result" for entry in diary)


def test_a_row_of_numpys_numbers_is_one_that_json_keeps():
    row = harness.Row("walk", "a mile", "s", np.float64(1), "peer", np.float64(3), np.float64(3), 2)
    assert json.loads(json.dumps(row.as_dict()))["met"] is True


@pytest.mark.parametrize("field", ["required", "same"])
def test_a_misspelt_peer_is_refused(field):
    job = Job("walk", "a mile", Call(int), {"peer": Call(int)}, **{field: {"pear": 1}})
    with pytest.raises(ValueError, match="pear"):
        harness.measure(job)


def test_call_counts_the_mean_of_its_calls(monkeypatch):
    ticks = iter([0.0, 12.0])
    monkeypatch.setattr(harness.time, "perf_counter", lambda: next(ticks))
    calls = []
    assert Call(lambda: calls.append(0)).seconds(4) == 3
    assert len(calls) == 4


# --- The inputs -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["likelihood", "noise"])
def test_images_are_seeded_likelihoods(kind):
    image = inputs.IMAGES[kind](48)
    assert image.shape == (48, 48)
    assert image.dtype == np.float64
    assert image.flags.c_contiguous
    assert 0 < image.min() < 0.1
    assert 0.9 < image.max() < 1
    assert np.array_equal(image, inputs.IMAGES[kind](48))
    assert not np.array_equal(image, inputs.IMAGES[kind](48, seed=1))


def test_the_prediction_resembles_the_truth_but_errs():
    prediction, truth = inputs.mask_pair(128)
    assert 0.9 < (prediction == truth).mean() < 1
    assert 0.1 < truth.mean() < 0.6
    logits, target = inputs.loss_batch(3, 32)
    assert logits.shape == target.shape == (3, 1, 32, 32)
    assert logits.dtype == target.dtype == np.float32
    assert set(np.unique(target)) == {0, 1}
    assert not np.array_equal(logits[0], logits[1])


# --- The jobs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["likelihood", "noise"])
def test_persistence_peers_agree_exactly(kind):
    job = jobs.persistence_job(kind, 24)
    assert list(job.peers) == ["cripser", "GUDHI, located", "GUDHI, rectangle"]
    assert set(job.same) == set(job.peers)
    for name, peer in job.peers.items():
        job.same[name](None, peer.result())


@pytest.mark.parametrize("name", jobs.PERSISTENCE_PEERS)
def test_another_image_does_not_agree(name):
    theirs = jobs.PERSISTENCE[name](inputs.likelihood(24, seed=1))()
    with pytest.raises(AssertionError, match="other values"):
        jobs.persistence_job("likelihood", 24).same[name](None, theirs)


def test_diagram_of_a_drawn_image():
    # A ring of 0.9 and 0.7 around 0.2, and a spot of 0.5 beyond a gap of 0.1: higher than wide.
    image = np.array([[0.9, 0.9, 0.9], [0.9, 0.2, 0.9], [0.9, 0.7, 0.9], [0.1, 0.1, 0.1]])
    image = np.vstack([image, [[0.1, 0.5, 0.1]]])
    wanted = [[0, 0.5, 0.1], [0, 0.9, 0.0], [1, 0.7, 0.2]]
    for name, prepare in jobs.PERSISTENCE.items():
        assert jobs.diagram(name, prepare(image)(), image).tolist() == wanted, name


def test_the_required_ratios_are_those_agreed_on():
    demanded = {"cripser": 8, "GUDHI, located": 50, "GUDHI, rectangle": 1 / 1.5}
    assert jobs.persistence_job("likelihood", 64).required == {"cripser": 4}
    assert jobs.persistence_job("likelihood", 256).required == demanded
    assert jobs.persistence_job("likelihood", 512).required == demanded


def test_masks_are_compared_before_they_are_timed():
    for job in (jobs.betti_job(40), jobs.clustering_job(40)):
        rows = harness.measure(job, rounds=1)
        assert [row.peer for row in rows] == list(job.peers)
        assert set(job.same) == set(job.peers)
        for same in job.same.values():
            with pytest.raises(AssertionError):
                same((1, 0.25), (1, 0.5))


def test_the_loss_is_compared_in_spite_of_other_definitions():
    import torch

    # One blob without any finite pair: HutopoLoss is 0, and ours is (1 - 0.75)^2 / (1 + 1).
    logits = torch.tensor([[[[0.25, 0.75, 0.5]]]]).logit()
    target = torch.tensor([[[[0.0, 1.0, 0.0]]]])
    same = jobs._same_distance(lambda *_: torch.tensor(0.0), logits, target)
    same(1.0, 0.0)
    with pytest.raises(AssertionError, match="Not equal"):
        same(1.0, 0.5)
    wrong = jobs._same_distance(lambda *_: torch.tensor(0.1), logits, target)
    with pytest.raises(AssertionError, match="Not equal"):
        wrong(1.0, 0.1)


# --- Memory -----------------------------------------------------------------------------------


def test_memory_is_that_of_the_peak():
    code = (
        "import numpy as np; from benchmarks.memory import peak_beyond_now as peak\n"
        "held = np.ones(2_000_000)\n"
        "print(peak(lambda: np.ones(1_000_000)))\n"  # a result counts
        "print(peak(lambda: np.ones(2_000_000)[0]))\n"  # what is freed on the way counts
        "print(peak(lambda: [np.ones(500_000)[0] for _ in range(9)]))\n"  # but only while it lives
        "print(peak(lambda: held[0]))\n"  # what was there before does not
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=harness.environment(MALLOC_MMAP_THRESHOLD_="65536"),
        capture_output=True,
        text=True,
        check=True,
    )
    amounts = [int(line) for line in run.stdout.split()]
    np.testing.assert_allclose(amounts, [8e6, 16e6, 4e6, 0], atol=4e5)


def test_a_failed_measurement_is_told():
    with pytest.raises(RuntimeError, match="KeyError"):
        memory.bytes_per_pixel("nobody", "noise", 8)


# --- Peers that cannot run --------------------------------------------------------------------


def test_absent_peers_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "BENCH", tmp_path / ".bench")
    monkeypatch.setattr(peers, "TOPOLOSSES", tmp_path / ".bench" / "topolosses")
    monkeypatch.setattr(peers, "TORCH_TOPOLOGICAL", tmp_path / ".bench" / "torch-topological")
    with pytest.raises(Unavailable, match=r"it is not in \.bench/topolosses"):
        peers.hutopo_loss()
    with pytest.raises(Unavailable, match=r"it is not in \.bench/torch-topological"):
        peers.TorchTopological()


def test_a_peer_that_fails_says_why(monkeypatch, tmp_path):
    for package in ("topolosses/losses", "torch_topological/nn"):
        (tmp_path / package).mkdir(parents=True)
        (tmp_path / package / "__init__.py").write_text("raise ImportError('no luck')")
    monkeypatch.setattr(peers, "TOPOLOSSES", tmp_path)
    monkeypatch.setattr(peers, "TORCH_TOPOLOGICAL", tmp_path)
    before = list(sys.path), "torchvision" in sys.modules
    with pytest.raises(Unavailable, match="no luck"):
        peers.hutopo_loss()
    assert before == (sys.path, "torchvision" in sys.modules)
    with pytest.raises(Unavailable, match="no luck"):
        peers.TorchTopological()


# --- The command ------------------------------------------------------------------------------


def test_the_command_prints_and_writes_the_table(capsys, tmp_path):
    output = tmp_path / "new" / "bench.json"
    arguments = ["masks", "--rounds=1", f"--output={output}", "--strict"]
    status = main(arguments)
    written = json.loads(output.read_text())
    assert [row["job"] for row in written["rows"]] == ["Betti numbers", "ARI and VOI of two masks"]
    assert {"time", "processor", "cores", "python", "versions"} < set(written)
    assert status == any(row["met"] is False for row in written["rows"])
    printed = capsys.readouterr().out
    for row in written["rows"]:
        assert row["job"] in printed
        assert row["peer"] in printed


@pytest.mark.parametrize("ratio", [9.0, 7.0, None])
def test_only_a_strict_run_fails_for_a_missed_ratio(ratio, monkeypatch, tmp_path, capsys):
    row = harness.Row("walk", "a mile", "ms", 1.0, "peer", ratio, ratio, 8.0)
    monkeypatch.setattr(command, "_in_own_process", lambda group, rounds: [row])
    arguments = ["masks", f"--output={tmp_path / 'bench.json'}"]
    met = ratio == 9.0
    assert main(arguments) == 0
    assert main([*arguments, "--strict"]) == (not met)
    assert f"{int(met)} of 1 requirements met" in capsys.readouterr().out


def test_groups_run_with_their_number_of_threads(monkeypatch):
    seen = []

    def run(arguments, env, **_):
        seen.append((arguments[3], env["OMP_NUM_THREADS"], env["NUMBA_NUM_THREADS"]))
        return subprocess.CompletedProcess(arguments, 3)

    monkeypatch.setattr(command.subprocess, "run", run)
    monkeypatch.setattr(command.os, "cpu_count", lambda: 5)
    for group in GROUPS:
        with pytest.raises(SystemExit, match=f"{group}.* status 3"):
            command._in_own_process(group, 1)
    assert seen == [
        ("persistence", "1", "1"),
        ("memory", "1", "1"),
        ("growth", "1", "1"),
        ("loss", "5", "5"),
        ("step", "5", "5"),
        ("cldice", "1", "1"),
        ("matchings", "1", "1"),
        ("structures", "5", "5"),
        ("masks", "1", "1"),
        ("warping", "1", "1"),
        ("warping-all-cores", "5", "5"),
        ("morse", "1", "1"),
        ("volumes", "1", "1"),
        ("explorers", "1", "1"),
    ]


@pytest.mark.parametrize("arguments", [["mask"], ["--rounds=0"]])
def test_bad_arguments_end_before_any_work(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "error" in capsys.readouterr().err


def test_every_slider_of_every_explorer_is_moved():
    rows = list(jobs.explorer_rows(1, size=32))
    moved = {tuple(row.job.split(", one move: ")) for row in rows}
    assert len(moved) == len(rows)
    names = {f"{name}Explorer" for name in ("Gradient", "Morse", "Paint", "Persistence", "Warp")}
    assert names < {explorer for explorer, _ in moved}
    assert {("PersistenceExplorer", "Threshold"), ("WarpExplorer", "Flips")} < moved
    assert all(row.theirs == 100 and row.required == 1 and row.ours > 0 for row in rows)
