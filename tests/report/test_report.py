"""A report on folders of masks: what is matched, refused, scored, kept and shown."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from report_masks import MINE, OTHERS, TRUTHS, array_of, write_masks, write_png

from toposeg_lite import further_metrics, metrics
from toposeg_lite.data.folders import LISTED
from toposeg_lite.differences import KINDS, topology_differences
from toposeg_lite.report import ReportOptions, make_report, making, page, pairs
from toposeg_lite.report.__main__ import main
from toposeg_lite.report.scoring import KIND_COLUMNS


@pytest.fixture
def places(tmp_path):
    """Folders: two methods and the truth."""
    drawings = {"mine": MINE, "others": OTHERS, "truth": TRUTHS}
    return {name: write_masks(tmp_path / name, some) for name, some in drawings.items()}


def report(places, out, **options):
    given = {name: options.pop(name) for name in ("compare", "worst", "say") if name in options}
    return make_report(
        places["mine"], places["truth"], out,
        workers=1, options=ReportOptions(**options), **{"worst": 0} | given,
    )  # fmt: skip


# --- Scores --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"connectivity": 1, "border": "closed"}, {"patch": 4, "labels": "background"}],
)
def test_the_table_holds_what_the_metrics_say_of_each_image(places, tmp_path, options):
    table = report(places, tmp_path / "report", **options)
    assert table["image"].tolist() == ["dots", "line", "ring"]
    for _, row in table.iterrows():
        mine, truth = array_of(MINE[row["image"]]), array_of(TRUTHS[row["image"]])
        for name, value in metrics.report(mine, truth, **options).items():
            assert row[name] == value or (value is None and pd.isna(row[name]))
        common = {k: v for k, v in options.items() if k in ("connectivity", "border")}
        for name, value in further_metrics.further_report(mine, truth, **common).items():
            assert row[name] == value
        found = [d.kind for d in topology_differences(mine, truth, **common)]
        assert {kind: row[column] for kind, column in KIND_COLUMNS.items()} == {
            kind: found.count(kind) for kind in KINDS
        }
    stored = pd.read_parquet(tmp_path / "report" / "scores.parquet")
    assert stored.drop(columns="shape").equals(table.drop(columns="shape"))
    assert [list(shape) for shape in stored["shape"]] == table["shape"].tolist()


def test_errors_by_hand(places, tmp_path):
    table = report(places, tmp_path / "report", compare=places["others"])
    rows = table.set_index(["method", "image"])
    assert rows.loc[("mine", "line"), ["break_count", "betti_0_error"]].tolist() == [1, 1]
    assert rows.loc[("mine", "dots"), "spurious_component_count"] == 1
    assert rows.loc[("mine", "ring"), ["dice", "betti_matching_error"]].tolist() == [1, 0]
    assert rows.loc[("others", "ring"), ["missing_hole_count", "betti_1_error"]].tolist() == [1, 1]
    assert rows.loc[("others", "line"), "dice"] == 1


def test_pixels_without_a_label_cost_nothing(places, tmp_path):
    truth = array_of(TRUTHS["line"]).astype(np.uint8) * 100
    truth[1, 3] = 255  # where the line of the prediction is broken
    write = tifffile.imwrite
    (places["truth"] / "line.png").unlink()
    write(places["truth"] / "line.tif", truth, photometric="minisblack")
    table = report(places, tmp_path / "report", ignore=255).set_index("image")
    assert table.loc["line", ["dice", "betti_error"]].tolist() == [1, 0]


def test_likelihoods_are_cut_at_the_threshold(places, tmp_path):
    for path in list(places["mine"].iterdir()):
        path.unlink()
    for name, rows in MINE.items():
        np.save(places["mine"] / f"{name}.npy", np.where(array_of(rows), 0.7, 0.2))
    table = report(places, tmp_path / "low", threshold=0.6)
    expected = make_report(write_masks(tmp_path / "as" / "mine", MINE), places["truth"],
                           tmp_path / "masks", workers=1, worst=0)  # fmt: skip
    assert table.equals(expected)
    none = report(places, tmp_path / "high", threshold=0.8)
    assert (none["dice"] == 0).all()


def test_zero_can_be_the_structure(places, tmp_path):
    for place in ("mine", "truth"):
        for path in places[place].iterdir():
            name = path.stem
            write_png(path, ~array_of((MINE if place == "mine" else TRUTHS)[name]))
    table = report(places, tmp_path / "report", foreground="zero").set_index("image")
    assert table.loc["line", "break_count"] == 1


def test_volumes_and_files_of_any_kind(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("mine", "truth"):
        (tmp_path / name).mkdir()
    volume, other = rng.random((2, 5, 6, 7)) < 0.3
    np.save(tmp_path / "mine" / "a.npy", volume)
    tifffile.imwrite(tmp_path / "truth" / "a.tif", other.astype(np.uint8) * 255)
    write_png(tmp_path / "mine" / "b.png", volume[0])
    np.save(tmp_path / "truth" / "b.npy", other[0])
    table = report({n: tmp_path / n for n in ("mine", "truth")}, tmp_path / "report", worst=2)
    rows = table.set_index("image")
    assert rows.loc["a", "betti_2_error"] == metrics.report(volume, other)["betti_2_error"]
    assert rows.loc["b", "dice"] == metrics.dice(volume[0], other[0])
    assert np.isnan(rows.loc["a", "betti_matching_error"])
    page = Page((tmp_path / "report" / "report.html").read_text())
    assert "nan" not in page.text.casefold()


# --- What is refused, and when -------------------------------------------------------------------


def test_every_fault_is_listed_before_anything_is_scored(places, tmp_path, monkeypatch):
    mine, truth = places["mine"], places["truth"]
    write_png(mine / "Ring2.png", np.ones((3, 8)))
    write_png(truth / "ring-2.png", np.ones((3, 8)))
    write_png(mine / "line.png", np.ones((3, 9)))
    (mine / "notes.txt").write_text("seen")
    (mine / "dots.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    write_png(truth / "dots.png", np.arange(24).reshape(3, 8) / 255)
    monkeypatch.setattr(making, "score_pairs", None)  # nothing is scored
    with pytest.raises(ValueError, match="problems with the masks; nothing was scored") as caught:
        report(places, tmp_path / "report")
    text = str(caught.value)
    for part in (
        "Ring2.png: no truth Ring2.*",
        "'ring-2.png'",
        "ring-2.png: no prediction ring-2.*",
        "line.png: has shape (3, 9), its truth (3, 8)",
        "notes.txt: not of a known kind",
        "dots.png: is damaged",
        "dots.png: the mask must hold 0 and at most one other value",
    ):
        assert part in text, part
    assert not (tmp_path / "report" / "scores.parquet").exists()
    # What was wrong is mended: the same folder is used.
    for name in ("mine", "truth"):
        shutil.rmtree(places[name])
        write_masks(places[name], MINE if name == "mine" else TRUTHS)
    monkeypatch.undo()
    assert len(report(places, tmp_path / "report")) == 3


def test_many_faults_are_counted(places, tmp_path):
    for number in range(60):
        write_png(places["mine"] / f"lonely{number}.png", np.ones((3, 8)))
    with pytest.raises(ValueError, match=r"60 problems with the masks(.|\n)*and 10 more"):
        report(places, tmp_path / "report")


def test_very_many_names_without_a_partner_are_not_compared_all_with_all(tmp_path, monkeypatch):
    compared = []
    real = pairs.almost_same
    monkeypatch.setattr(pairs, "almost_same", lambda *some: compared.append(some) or real(*some))
    for name, ending in (("mine", "-mine"), ("truth", "-truth")):
        (tmp_path / name).mkdir()
        for number in range(400):
            (tmp_path / name / f"{number:03}{ending}.png").touch()
    text = r"800 problems with the masks(.|\n)*and 750 more"
    with pytest.raises(ValueError, match=text) as error:
        report({name: tmp_path / name for name in ("mine", "truth")}, tmp_path / "report")
    assert len(compared) <= 2 * LISTED
    assert f"no truth 000-mine.* in {tmp_path / 'truth'}" in str(error.value)


def test_no_masks_at_all(tmp_path):
    for name in ("mine", "truth"):
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=r"no mask in .*; the known kinds are"):
        report({n: tmp_path / n for n in ("mine", "truth")}, tmp_path / "report")


def test_names_may_hold_more_than_that_of_the_pair(places, tmp_path):
    for name in MINE:
        (places["mine"] / f"{name}.png").rename(places["mine"] / f"{name}_pred.png")
        (places["truth"] / f"{name}.png").rename(places["truth"] / f"the_{name}_gt.png")
    names = {"prediction_names": "*_pred", "truth_names": "the_*_gt"}
    table = report(places, tmp_path / "report", **names)
    assert table["image"].tolist() == sorted(MINE)
    write_png(places["mine"] / "ring.png", np.ones((3, 8)))
    with pytest.raises(ValueError, match=r"ring\.png: is not named like '\*_pred'"):
        report(places, tmp_path / "report", **names)
    write_png(places["mine"] / "ring_pred.tif", np.ones((3, 8)))
    with pytest.raises(ValueError, match=r"ring_pred\.tif: has the same name as ring_pred\.png"):
        report(places, tmp_path / "report", **names)
    (places["mine"] / "_pred.png").write_bytes(b"")  # no name at all
    with pytest.raises(ValueError, match=r"/_pred\.png: is not named like '\*_pred'"):
        report(places, tmp_path / "report", **names)


def test_methods_in_folders_of_one_name_are_told_apart(places, tmp_path):
    for name in ("mine", "others"):
        shutil.move(places[name], tmp_path / "x" / name / "masks")
    table = make_report(
        tmp_path / "x" / "mine" / "masks", places["truth"], tmp_path / "report",
        compare=tmp_path / "x" / "others" / "masks", workers=1, worst=0,
    )  # fmt: skip
    assert table["method"].unique().tolist() == ["mine/masks", "others/masks"]


def test_pyarrow_is_asked_for_before_anything_is_made(places, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs pyarrow: pip install 'toposeg_lite\["):
        report(places, tmp_path / "report")
    assert not (tmp_path / "report").exists()


# --- What is kept --------------------------------------------------------------------------------


@pytest.fixture
def scored(monkeypatch):
    """The images whose scores were computed."""
    names, score = [], making.score_pairs

    def noted(pairs, options):
        names.extend(pair.name for pair in pairs)
        return score(pairs, options)

    monkeypatch.setattr(making, "score_pairs", noted)
    return names


def test_what_is_scored_is_not_scored_again_unless_its_file_changed(places, tmp_path, scored):
    first = report(places, tmp_path / "report")
    assert sorted(scored) == sorted(MINE)
    scored.clear()
    assert report(places, tmp_path / "report").equals(first)
    assert scored == []
    path = places["mine"] / "line.png"
    write_png(path, array_of(TRUTHS["line"]))
    os.utime(path, ns=(1, 1))
    changed = report(places, tmp_path / "report").set_index("image")
    assert scored == ["line"]
    assert changed.loc["line", "dice"] == 1
    for name in ("mine", "truth"):
        (places[name] / "ring.png").unlink()
    assert report(places, tmp_path / "report")["image"].tolist() == ["dots", "line"]


def test_a_report_that_was_stopped_goes_on(places, tmp_path, scored):
    def stop(line):
        if line == "scored 2 of 3":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        report(places, tmp_path / "report", say=stop)
    assert len(scored) == 2
    kept = tmp_path / "report" / "scores.jsonl"
    kept.write_bytes(kept.read_bytes()[:-7])  # a kill in the middle of a line
    table = report(places, tmp_path / "report")
    assert len(scored) == 2 + 2
    assert table.equals(report(places, tmp_path / "whole"))
    assert len(kept.read_text().splitlines()) == 1 + 3


def test_a_report_of_other_settings_is_refused(places, tmp_path):
    report(places, tmp_path / "report")
    kept = (tmp_path / "report" / "scores.jsonl").read_bytes()
    with pytest.raises(ValueError, match=r"made with other settings \(options\)\. Choose another"):
        report(places, tmp_path / "report", border="closed")
    assert (tmp_path / "report" / "scores.jsonl").read_bytes() == kept


@pytest.mark.parametrize("content", [b"", b"{}\n", b"[1]\n", b'{"settings": 3}\n', b"\0\n"])
def test_a_damaged_file_of_rows_is_named(places, tmp_path, content):
    report(places, tmp_path / "report")
    path = tmp_path / "report" / "scores.jsonl"
    rows = path.read_bytes().splitlines(keepends=True)[1:]
    path.write_bytes(content + b"".join(rows))
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} is no table of a report"):
        report(places, tmp_path / "report")


def test_a_folder_of_this_name_that_is_a_file(places, tmp_path):
    (tmp_path / "report").write_text("mine")
    with pytest.raises(OSError, match="report"):
        report(places, tmp_path / "report")


# --- Processes -----------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path):
    """Enough masks that processes are started for them."""
    rng = np.random.default_rng(1)
    truth = rng.random((12, 16, 16)) < 0.5
    for name, masks in (("mine", truth ^ (rng.random(truth.shape) < 0.1)), ("truth", truth)):
        (tmp_path / name).mkdir()
        for number, mask in enumerate(masks):
            write_png(tmp_path / name / f"{number:02}.png", mask)
    return {name: tmp_path / name for name in ("mine", "truth")}


def test_processes_give_the_same_table(many, tmp_path):
    alone = report(many, tmp_path / "alone")
    said = []
    together = make_report(
        many["mine"], many["truth"], tmp_path / "together", workers=2, say=said.append, worst=0
    )
    assert together.equals(alone)
    assert said[-1].endswith("report.html: 12 masks")
    assert "scored 12 of 12" in said


def test_the_workers_of_dask_give_the_same_table(many, tmp_path):
    distributed = pytest.importorskip("distributed")
    alone = report(many, tmp_path / "alone")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None,
        host="127.0.0.1", protocol="tcp",
    )  # fmt: skip
    with cluster:
        together = make_report(
            many["mine"], many["truth"], tmp_path / "together",
            scheduler=cluster.scheduler_address, worst=0,
        )  # fmt: skip
    assert together.equals(alone)


def test_workers_of_a_scheduler_cannot_be_asked_for(many, tmp_path, capsys):
    words = [str(many["mine"]), str(many["truth"]), "--out", str(tmp_path / "report")]
    assert main([*words, "--scheduler", "tcp://127.0.0.1:1", "--workers", "2"]) == 2
    told = capsys.readouterr().err
    assert "workers must be left out with a scheduler, tcp://127.0.0.1:1, which has its own" in told
    assert "got workers=2" in told
    assert not (tmp_path / "report").exists()
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "not with --scheduler" in " ".join(capsys.readouterr().out.split())


# --- The page ------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Its headings, its pictures and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_the_page_shows_the_worst_first_and_needs_nothing_else(places, tmp_path):
    report(places, tmp_path / "report", compare=places["others"], worst=2)
    page = Page((tmp_path / "report" / "report.html").read_text())
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 1 + 2
    assert all(picture["src"].startswith("data:image/png;base64,") for picture in pictures)
    assert pictures[0]["alt"].startswith("dots. mine: spurious component 1; others: ")
    for picture in pictures:  # nothing is cut off: titles and legends end before the edges do
        content = base64.b64decode(picture["src"].partition(",")[2])
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
        edges = [*pixels[:2], *pixels[-2:], *pixels.T[:2], *pixels.T[-2:]]
        assert min(edge.min() for edge in edges) > 250
    names = [tag for tag, _ in page.tags if tag in ("h1", "h2", "img", "table", "details")]
    assert names[:4] == ["h1", "img", "table", "table"]  # the verdict stands below the title
    assert not [t for t, a in page.tags if t in ("script", "link") or "href" in a]
    assert (
        "mine: 1 of 3 images without a topological error; of 2 differences the most are breaks "
        "and spurious components (1 each)."
    ) in page.text
    assert "predictions of others others" in page.text  # its folder's name, and not the way to it
    source = (tmp_path / "report" / "report.html").read_text()
    assert str(tmp_path) not in source
    assert str(tmp_path) in (tmp_path / "report" / "scores.jsonl").read_text()
    assert "others minus mine, paired by image" in page.text
    assert "missing hole 0 0 of 3 1 1 of 3" in page.text
    # Of three images one has a feature too few, and one too many, in both masks together.
    assert "DIU, mine 0.6667 1.0000 0.1000 1.0000 1.0000 3" in page.text


def masks_of(folder, errors, ndim=2):
    """Write images with a line each, broken so many times, and their truths; return both places."""
    truth = np.zeros((3, 40) if ndim == 2 else (3, 3, 40), bool)
    truth[..., 1, 1:-1] = True
    for k, gaps in enumerate(errors):
        mask = truth.copy()
        mask[..., 1, 3 : 3 + 2 * gaps : 2] = False
        for name, array in (("truth", truth), (f"method_{len(errors)}_{sum(errors)}", mask)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            np.save(folder / name / f"{k}.npy", array)
    return folder / f"method_{len(errors)}_{sum(errors)}", folder / "truth"


@pytest.mark.parametrize(
    ("mine", "others", "manner", "says"),
    [
        ([3] * 8, [1] * 7 + [2], "better", "makes fewer topological errors than"),
        ([1] * 7 + [2], [3] * 8, "worse", "makes more topological errors than"),
        ([3, 1, 2, 4, 2, 2], [1, 3, 2, 2, 4, 3], "same", "is open on 6 images"),
        ([3], [1], "same", "is open on 1 image:"),  # the interval alone would be sure of it
        ([2, 3, 4], [1, 1, 1], "same", "is open on 3 images:"),
        ([2, 2], [2, 1, 1][:2], "same", "is open on 2 images:"),
    ],
)
def test_the_page_says_which_method_is_better_only_if_that_is_sure(
    mine, others, manner, says, tmp_path
):
    first, truth = masks_of(tmp_path, mine)
    second = masks_of(tmp_path / "more", others)[0]
    make_report(first, truth, tmp_path / "report", compare=second, workers=1, worst=0)
    page = Page((tmp_path / "report" / "report.html").read_text())
    assert ("p", {"class": f"verdict {manner}"}) in page.tags
    assert says in page.text
    # A line with k gaps has k + 1 parts; the first is the line's partner.
    means = np.mean(mine), np.mean(others)
    assert (
        f": {means[0]:.2f} an image by {first.name}, {means[1]:.2f} by {second.name}" in page.text
    )
    assert f"a difference of {means[1] - means[0]:+.2f}, 95 % interval" in page.text
    fewer, more = np.less(others, mine).sum(), np.greater(others, mine).sum()
    assert f"fewer on {fewer}, more on {more} of " in page.text


def test_errors_of_a_volume_that_make_up_for_each_other_are_errors(tmp_path):
    truth = np.zeros((5, 5, 12), bool)
    truth[1, 1, 1:-1] = truth[3, 3, 1:-1] = True
    mask = truth.copy()
    mask[1, 1, 5] = mask[3, 3] = False  # one line is broken, one is missing: two parts, as it was
    for name, array in (("mine", mask), ("truth", truth)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", array)
    table = make_report(tmp_path / "mine", tmp_path / "truth", tmp_path / "report", workers=1)
    assert table["betti_error"].tolist() == [0]
    page = Page((tmp_path / "report" / "report.html").read_text())
    assert (
        "0 of 1 image without a topological error; of 2 differences the most are breaks and "
        "missing components (1 each)."
    ) in page.text


def test_names_of_files_never_become_markup(tmp_path):
    name = "<b id=evil onclick=alert(1)>x"
    drawings = {name: TRUTHS["ring"]}
    write_masks(tmp_path / "<i id=evil>", drawings)
    write_masks(tmp_path / "truth", {name: TRUTHS["line"]})
    make_report(tmp_path / "<i id=evil>", tmp_path / "truth", tmp_path / "report", workers=1)
    page = Page((tmp_path / "report" / "report.html").read_text())
    assert not [t for t, a in page.tags if a.get("id") == "evil" or "onclick" in a]
    assert name in page.text


@pytest.mark.parametrize("says", ["truth", "mine", "both"])
def test_masks_of_which_one_alone_asks_to_be_turned_are_refused(tmp_path, says):
    """Scored as they are stored, or both upright; never one against the other upside down."""
    bent = array_of(["#.......", "#.......", "####...."])
    exif = Image.Exif()
    exif[0x0112] = 3
    for name in ("mine", "truth"):
        (tmp_path / name).mkdir()
        asks = {"exif": exif} if says in (name, "both") else {}
        Image.fromarray(bent * np.uint8(255)).save(tmp_path / name / "a.png", **asks)
    folders = {name: tmp_path / name for name in ("mine", "truth")}
    if says == "both":
        assert report(folders, tmp_path / "report")["dice"].tolist() == [1]
        return
    with pytest.raises(ValueError, match=r"a\.png: the .*their shapes fit either way"):
        report(folders, tmp_path / "report")


# --- The command ---------------------------------------------------------------------------------


def test_the_command(places, tmp_path, capsys):
    out = tmp_path / "report"
    folders = [str(places["mine"]), str(places["truth"])]
    arguments = [*folders, "--out", str(out), "--workers", "1", "--connectivity", "1"]
    assert main([*arguments, "--worst", "1"]) == 0
    assert "3 masks; see" in capsys.readouterr().out
    settings = json.loads((out / "scores.jsonl").read_text().splitlines()[0])["settings"]
    assert settings["options"]["connectivity"] == 1
    assert main([*arguments, "--border", "none"]) == 2
    assert "border must be" in capsys.readouterr().err
    assert main([*folders, "--out", str(out), "--workers", "0"]) == 2
    assert "workers must be" in capsys.readouterr().err


def test_an_interrupt_of_the_command_says_what_is_kept(places, tmp_path, capsys, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "score_pairs", stop)
    arguments = [str(places["mine"]), str(places["truth"]), "--out", str(tmp_path / "report")]
    assert main([*arguments, "--workers", "1"]) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_a_report_needs_no_torch(places, tmp_path):
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('torch', 'gudhi', 'plotly', 'ipywidgets'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from toposeg_lite.report.__main__ import main\n"
        f"sys.exit(main([{str(places['mine'])!r}, {str(places['truth'])!r}, "
        f"'--out', {str(tmp_path / 'report')!r}, '--workers', '1']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report" / "report.html").exists()


def test_names_of_files_make_no_persons_of_images():
    """Files that happen to be named as the eyes of chase_db1 count one by one, as is said."""
    said = set()
    for names in ([f"{k}{side}" for k in range(11, 15) for side in "LR"], list("abcdefgh")):
        rows = [
            {"method": method, "image": name, "error": error}
            for method, error in (("first", 5.0), ("second", 4.0))
            for name in names
        ]
        said.add(page._better(pd.DataFrame(rows), ["first", "second"]))
    (sentence,) = said
    assert "fewer" in sentence
