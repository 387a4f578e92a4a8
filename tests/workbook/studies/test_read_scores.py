"""Tables of scores are read by one function: names stay names, and what is no table is refused."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import toposeg_lite.workbook.studies
from toposeg_lite.workbook.studies.scores import read_scores

NAMES = ["NA", "007", "1e3", "nan", "None", "", "true", "0x10"]


def test_names_are_texts_and_empty_metrics_are_missing(tmp_path):
    path = tmp_path / "a.csv"
    dice = [0.5, np.nan, 1.0, 0.0, np.nan, 0.25, 0.75, 1e-6]
    table = pd.DataFrame({"network": NAMES, "weight": 0.5, "seed": 1, "image": NAMES[::-1]})
    table = table.assign(dice=dice, home=NAMES, away=NAMES, place=NAMES, hausdorff_distance=dice)
    table.to_csv(path, index=False)
    read = read_scores(path)
    for name in ("network", "home", "away", "place"):
        assert read[name].tolist() == NAMES
    assert read["image"].tolist() == NAMES[::-1]
    for metric in ("dice", "hausdorff_distance"):
        np.testing.assert_array_equal(read[metric], dice)
    assert list(read) == list(table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network,seed\na,0\n", "it has no columns weight, image"),
        ("", "No columns to parse"),
        ("network,weight,seed,image\na,1,0,b\na,1,0,b,c\n", "Expected 4 fields in line 3, saw 5"),
        ("\x00\x01", "it has no columns network, weight, seed, image"),
    ],
)
def test_what_is_no_table_is_refused_with_its_name(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"a\.csv is no table of scores.*{message}"):
        read_scores(path)
    with pytest.raises(ValueError, match=r"a\.csv is no table of a study"):
        read_scores(path, ["nothing"], what="table of a study")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        read_scores(tmp_path / "none.csv")


def test_no_other_module_of_studies_reads_scores_by_itself():
    """Two read other tables: which results a file holds, as texts, and the times of jobs."""
    reading = set()
    for path in Path(toposeg_lite.workbook.studies.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "read_csv":
                reading.add(path.name)
    assert reading == {"scores.py", "results.py", "scale.py"}
