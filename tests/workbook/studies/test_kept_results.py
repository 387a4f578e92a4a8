"""No command replaces the results of another run: each is refused before anything is computed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from training_data import rings

from toposeg_lite.data import Dataset
from toposeg_lite.training import TrainConfig, train
from toposeg_lite.workbook.studies import __main__ as commands
from toposeg_lite.workbook.studies import (
    across,
    convergence,
    faults,
    make_pretrained,
    observers,
    orders,
    reach,
)
from toposeg_lite.workbook.studies.__main__ import main, run_study
from toposeg_lite.workbook.studies.results import check_table
from toposeg_lite.workbook.studies.study import REFERENCE_RUNS, Arm, Study, StudyConfig

# --- Studies ----------------------------------------------------------------------------------


@pytest.fixture
def made(monkeypatch):
    """Nothing is trained: what a study would be of is kept, and files of it are written."""
    made = []

    class Written:
        def __init__(self, config, folder):
            self.config, self.folder = config, folder
            folder.mkdir(parents=True, exist_ok=True)

        def run(self):
            made.append(self.config)
            results = {"parameters": self.config.as_dict(), "networks": {}, "run": len(made)}
            (self.folder / "study.json").write_text(json.dumps(results))
            names = ["parent", "control", *(arm.name for arm in self.config.arms)]
            rows = [(name, 0, seed, "a") for name in names for seed in self.config.seeds]
            table = pd.DataFrame(rows, columns=["network", "weight", "seed", "image"])
            for end in ("", *(f"-{group}" for group in self.config.groups)):
                table.assign(dice=len(made)).to_csv(self.folder / f"study{end}.csv", index=False)

    monkeypatch.setattr(commands, "Study", Written)
    return made


BASE = {
    "dataset": "topomortar", "arms": ["warping", "cldice"], "seeds": [0, 1], "patch": 8,
    "pretrain_steps": 4, "finetune_steps": 2, "groups": {"angles": {"group": "angles"}},
}  # fmt: skip


@pytest.fixture
def kept(tmp_path, made):
    """The results of a study, and a function that asks for one with changes."""
    file = tmp_path / "kept" / "one.json"

    def ask(**changes):
        return run_study({"out": str(tmp_path / "runs"), "results": str(file), **BASE, **changes})

    ask()
    shutil.rmtree(tmp_path / "runs")
    assert sorted(path.name for path in file.parent.iterdir()) == [
        "one-angles.csv", "one.csv", "one.json",
    ]  # fmt: skip
    made.clear()
    return file, ask


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


OTHER_WEIGHT = {"name": "cldice", "loss": "cldice", "weights": [0.7]}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"patch": 16}, "patch is 8 there, not 16"),
        ({"pretrain_steps": 5}, "pretrain_steps is 4 there, not 5"),
        ({"finetune_steps": 5, "width": 8}, "width is 16 there, not 8, finetune_steps is 2 there"),
        ({"arms": ["warping"]}, "arm cldice is only there"),
        ({"arms": ["warping", "scnp"]}, "arm cldice is only there"),
        ({"arms": ["warping", OTHER_WEIGHT]}, "arm cldice is {'name': 'cldice', 'loss'"),
        ({"seeds": [0]}, r"seeds is \[0, 1\] there, not \[0\]"),
        ({"seeds": [2, 0, 1]}, r"seeds is \[0, 1\] there, not \[2, 0\]"),  # the first one chooses
        ({"choose_on": "each"}, "choose_on is 'first' there, not 'each'"),
        ({"groups": {}}, "group angles is only there"),
        ({"groups": {"angles": {"group": "colors"}}}, "group angles is {'group': 'angles'} there"),
        ({"dataset": "crackforest", "groups": {}}, "dataset is 'topomortar' there, not 'crackfor"),
        ({"data_options": {"training": 10}}, "data_options is not there"),
        ({"connectivity": 1}, "connectivity is None there, not 1"),
    ],
    ids=str,
)
def test_results_of_another_study_are_refused_by_what_differs(kept, made, tmp_path, changes, text):
    file, ask = kept
    before = contents(file.parent)
    with pytest.raises(ValueError, match=rf"one\.json holds other results: .*{text}"):
        ask(**changes)
    assert made == []
    assert contents(file.parent) == before
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"arms": ["cldice", "warping"]},
        {"arms": ["warping", "cldice", "scnp"]},
        {"seeds": [0, 1, 2]},
        {"groups": {"angles": {"group": "angles"}, "colors": {"group": "colors"}}},
        {"root": "elsewhere", "checkpoint_every": 7},  # which decide no number
    ],
    ids=str,
)
def test_results_of_the_same_study_or_a_part_of_it_are_written_anew(kept, made, changes):
    file, ask = kept
    folder = ask(**changes)
    assert len(made) == 1
    for path in folder.iterdir():
        assert path.read_bytes() == (file.parent / path.name.replace("study", "one")).read_bytes()


def test_what_an_older_file_lacks_was_the_default(kept, made):
    file, ask = kept
    results = json.loads(file.read_text())
    for name in ("choose_on", "groups"):
        del results["parameters"][name]
    for name in ("precision", "patience"):
        del results["parameters"]["shared"][name]
    file.write_text(json.dumps(results))
    (file.parent / "one-angles.csv").unlink()
    ask()
    assert len(made) == 1
    file.write_text(json.dumps(results))
    with pytest.raises(ValueError, match="precision is 'float32' there, not 'bfloat16'"):
        ask(precision="bfloat16")


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("one.json", "{", r"one\.json is no JSON file that can be read"),
        ("one.json", "[1]", r"one\.json is no study that can be read"),
        ("one.json", '{"seed": 0, "test": {}}', r"one\.json is no study that can be read"),
        ("one.json", None, r"one\.csv holds scores, and no .*one\.json says of which study"),
        ("one.csv", "a,b\n1,2\n", r"one\.csv is no table .* it lacks network, seed"),
        ("one.csv", "network,seed,image\nother,0,a\n", r"one\.csv .* network is 'other'"),
        ("one-angles.csv", "network,seed,image\ncldice,7,a\n", r"one-angles\.csv .* seed is '7'"),
        ("one-colors.csv", "network,seed,image\ncldice,0,a\n", r"one-colors\.csv holds scores"),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_left_alone(kept, made, name, content, text):
    file, ask = kept
    place = file.with_name(name)
    place.unlink(missing_ok=True)
    if content is not None:
        place.write_text(content)
    before = contents(file.parent)
    with pytest.raises(ValueError, match=text):
        ask(groups={name: {"group": name} for name in ("angles", "colors")})
    assert made == []
    assert contents(file.parent) == before


def test_a_reference_run_is_not_replaced_by_a_try(tmp_path, made, capsys):
    file = tmp_path / "isbi2012_membranes-study.json"
    for path in (file, file.with_suffix(".csv")):
        shutil.copy(REFERENCE_RUNS / path.name, path)
    before = contents(tmp_path)
    words = ["-p", "dataset", "isbi2012_membranes", "-p", "results", str(file)]
    assert main(["study", *words, "-p", "arms", "cldice"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: {file} holds other results: patch is 128 there, not 192")
    assert "arm topological-spatial is only there" in told
    assert "name another file, or move it away" in told
    assert contents(tmp_path) == before
    assert made == []


# --- Tables -----------------------------------------------------------------------------------


def test_numbers_are_compared_as_numbers_and_names_as_names(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("weight,image\n0.50,007\n1.0,07\n")
    check_table(path, weight=[0.5, 1, 2], image=["007", "07"])
    with pytest.raises(ValueError, match=r"values of weight is '1\.0'"):
        check_table(path, weight=[0.5])
    with pytest.raises(ValueError, match="values of image is '007'"):
        check_table(path, image=["07"])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished study of a few steps."""
    folder = tmp_path_factory.mktemp("studies") / "brick-study"
    arms = [Arm("cldice", "cldice", weights=(0.5,))]
    shared = TrainConfig("brick", patch=16, width=2, batch=1, depth=1)
    config = StudyConfig(shared, arms, seeds=(0,), pretrain_steps=2, finetune_steps=1)
    Study(config, folder, say=lambda line: None).run()
    return folder


def changed(path, column, value):
    """Put another value into a column of a table, as a table of something else would have it."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[0, column] = value
    table.to_csv(path, index=False)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("column", "value"),
    [("network", "warping"), ("seed", "5"), ("weight", "0.7"), ("image", "elsewhere")],
)
def test_faults_of_other_networks_or_images_are_not_replaced(
    study, tmp_path, monkeypatch, column, value
):
    command = faults.FaultsCommand(studies=(str(study),), results=str(tmp_path))
    file = tmp_path / "brick-faults.csv"
    command.run()
    first = file.read_bytes()
    command.run()
    assert file.read_bytes() == first
    before = changed(file, column, value)
    monkeypatch.setattr(faults, "_faults", lambda *_: pytest.fail("it was counted"))
    with pytest.raises(ValueError, match=rf"brick-faults\.csv .* values of {column} is '{value}'"):
        command.run()
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("column", "value"),
    [("network", "warping"), ("seed", "5"), ("contrast", "same"), ("scale", "0.5"),
     ("home", "roads"), ("pretrain_steps", "600")],
)  # fmt: skip
def test_scores_elsewhere_of_other_networks_are_not_replaced(
    study, tmp_path, monkeypatch, column, value
):
    load = across.load_dataset

    def small(name, **options):
        data = load(name, **options)
        (first, *_) = data.test
        cut = replace(first, image=first.image[:, 90:130, 60:110], mask=first.mask[90:130, 60:110])
        return replace(data, test=(cut,))

    monkeypatch.setattr(across, "load_dataset", small)
    command = across.AcrossCommand(
        studies=[str(study)],
        onto=["cracks"],
        out=str(tmp_path / "kept"),
        results=str(tmp_path / "tables"),
    )
    command.run()
    file = tmp_path / "tables" / "across-brick-cracks.csv"
    first = file.read_bytes()
    command.run()
    assert file.read_bytes() == first
    before = changed(file, column, value)
    monkeypatch.setattr(across.AcrossCommand, "_table", lambda *_: pytest.fail("it was scored"))
    with pytest.raises(ValueError, match=rf"cracks\.csv .* values of {column} is '{value}'"):
        command.run()
    assert file.read_bytes() == before


def test_looks_at_another_parent_are_not_replaced(tmp_path, monkeypatch, capsys):
    words = ["convergence", "--datasets", "brick", "--results", str(tmp_path / "tables"), "--batch",
             "1", "--patch", "16", "--window", "256", "--steps", "4"]  # fmt: skip
    first = [*words, "--every", "2", "--out", str(tmp_path / "one")]
    assert main(first) == 0
    file = tmp_path / "tables" / "brick-convergence.csv"
    before = file.read_bytes()
    assert main(first) == 0  # its network is there: the same looks again
    monkeypatch.setattr(convergence, "train", lambda *_, **__: pytest.fail("a training began"))
    capsys.readouterr()
    assert main([*words, "--every", "2", "--out", str(tmp_path / "two")]) == 1
    assert "holds looks at a network that is not" in capsys.readouterr().err
    assert main([*words, "--every", "3", "--out", str(tmp_path / "one")]) == 1
    assert "values of step is '2'" in capsys.readouterr().err
    assert main([*words, "--every", "5", "--out", str(tmp_path / "one")]) == 1
    assert "every must be at most steps, or nobody looks; got every=5" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert not (tmp_path / "two").exists()


def test_the_reach_in_other_networks_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "control.safetensors"
    train(TrainConfig("brick", weight=0.0, steps=2, patch=16, width=2, batch=1), out=path,
          progress=False)  # fmt: skip
    file = tmp_path / "reach.csv"
    command = reach.ReachCommand(networks=(str(path),), arms=("cldice",), window=256,
                                 results=str(file))  # fmt: skip
    command.run()
    first = file.read_bytes()
    command.run()
    assert file.read_bytes() == first
    monkeypatch.setattr(reach, "loss_reach", lambda *_, **__: pytest.fail("it was measured"))
    with pytest.raises(ValueError, match=r"reach\.csv .* values of loss is 'cldice'"):
        replace(command, arms=("scnp",)).run()
    table = pd.read_csv(file)
    table["break, count"] += 1
    table.to_csv(file, index=False)
    before = file.read_bytes()
    with pytest.raises(ValueError, match=r"reach\.csv .* values of break, count is"):
        command.run()
    assert file.read_bytes() == before


def test_the_observers_do_not_replace_a_table_of_something_else(tmp_path, monkeypatch):
    class Drawn:
        labels = "foreground"

        def __init__(self, root=None, *, observer):
            sample = replace(rings(1, observer)[0], name="01L")
            self.train, self.validation, self.test = [sample], [], [replace(sample, name="11L")]

    monkeypatch.setattr(observers, "chase_db1", Drawn)
    file = tmp_path / "observers.csv"
    command = observers.ObserversCommand(results=str(file))
    command.run()
    first = file.read_bytes()
    command.run()
    assert file.read_bytes() == first
    monkeypatch.setattr(observers, "compare_observers", lambda *_: pytest.fail("it was scored"))
    before = changed(file, "image", "slice-25")
    with pytest.raises(ValueError, match="values of image is 'slice-25'"):
        command.run()
    assert file.read_bytes() == before
    shutil.copy(REFERENCE_RUNS / "chase_db1-study.csv", file)
    with pytest.raises(ValueError, match=r"observers\.csv is no table .* it lacks split"):
        command.run()


def few():
    data = rings(5, 0)
    return Dataset("few", data[:2], data[2:3], data[3:], "foreground", "exact", 16, "none")


def test_orders_of_another_training_are_not_replaced(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(orders, "load_dataset", lambda name, root: few())
    monkeypatch.setattr(orders, "order_study", lambda data, config, out, options, **_: {
        "about": orders._facts(data, config, options), "images": {}, "run": str(out),
    })  # fmt: skip
    monkeypatch.setattr(orders, "order_tables", lambda results, metric: pd.DataFrame())
    file = tmp_path / "orders.json"
    words = ["orders", "--datasets", "brick", "--results", str(file), "--patch", "16"]
    assert main([*words, "--out", str(tmp_path / "one"), "--root", "here"]) == 0
    assert main([*words, "--out", str(tmp_path / "two")]) == 0
    kept = json.loads(file.read_text())
    assert kept["brick"]["run"] == str(tmp_path / "two" / "brick")
    before = file.read_bytes()
    monkeypatch.setattr(orders, "order_study", lambda *_, **__: pytest.fail("a study began"))
    capsys.readouterr()
    assert main([*words, "--steps", "7"]) == 1
    assert "orders.json holds other results: steps is 400 there, not 7;" in capsys.readouterr().err
    assert main([*words, "--draws", "3", "--seed", "5"]) == 1
    assert "seed is 0 there, not 5, draws is 2 there, not 3" in capsys.readouterr().err
    assert file.read_bytes() == before
    file.write_text('{"brick": {}}')
    assert main(words) == 1
    assert "orders.json is no study of orders that can be read" in capsys.readouterr().err


def test_the_model_of_the_library_is_not_replaced_by_a_try(tmp_path, monkeypatch, capsys):
    model = make_pretrained.ASSETS / make_pretrained.NAME
    out = tmp_path / "model"
    for end in (".json", ".safetensors"):
        shutil.copy(model.with_name(f"{model.name}{end}"), out.with_name(f"{out.name}{end}"))
    before = contents(tmp_path)
    began = []

    def begin(*_, **__):
        began.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(make_pretrained, "load_dataset", lambda *_, **__: few())
    monkeypatch.setattr(make_pretrained, "even_data", begin)
    words = ["pretrained", "--out", str(out), "--folder", str(tmp_path / "runs")]
    assert main([*words, "--steps", "10", "--folds", "3"]) == 1
    told = capsys.readouterr().err
    assert "model.json holds other results: steps is 3000 there, not 10, folds is 2 there" in told
    assert (began, contents(tmp_path)) == ([], before)
    out.with_suffix(".json").unlink()
    assert main(words) == 1
    assert "says how it was made" in capsys.readouterr().err
    out.with_suffix(".json").write_bytes(before["model.json"])
    assert main(words) == 130  # the options with which it was made: it may be made again
    assert began == [1]
    assert np.all([out.with_suffix(end).exists() for end in (".json", ".safetensors")])


# --- Options that would not count ---------------------------------------------------------------


def test_a_run_has_one_seed_under_one_name(tmp_path, capsys):
    words = ["-p", "dataset", "brick", "-p", "out", str(tmp_path / "runs")]
    assert main([*words, "-p", "seed", "3", "-p", "seeds", "[0]"]) == 1
    assert "seed and seeds must not both be given" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
