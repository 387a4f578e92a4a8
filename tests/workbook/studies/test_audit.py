"""The audit of labels against hand counts and scikit-image, on drawings and on real masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage import measure
from training_data import DATA

from toposeg_lite.data import Dataset, Sample, load_dataset
from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.audit import AuditCommand, audit_labels


def drawn(text):
    return np.array([[cell == "#" for cell in row] for row in text.split()])


def data_of(*masks, ignored=None):
    samples = tuple(
        Sample(f"drawing-{k}", np.zeros((1, *mask.shape), np.float32), mask, ignored)
        for k, mask in enumerate(masks)
    )
    return Dataset("drawings", samples, (), (), "foreground", "exact", 4, "none")


#: Two squares that touch at a corner, a ring whose hole leaves by a corner, and a speck.
DRAWING = drawn("""
    ###.........
    ###...#####.
    ###...#...#.
    ...##.#...#.
    ...##.#...#.
    ......####.#
    #..........#
""")


def test_features_by_hand():
    table = audit_labels(data_of(DRAWING, ~DRAWING))
    assert table.loc[("train", "drawing-0")].to_dict() == {
        "components_1": 5, "components_full": 3, "components_changed": 2, "components_small": 1,
        "holes_1": 0, "holes_full": 1, "holes_changed": 1, "holes_small": 0,
    }  # fmt: skip
    for small, specks in ((1, (0, 0)), (2, (1, 0)), (9, (1, 0)), (10, (1, 1))):  # of 1 and 9 pixels
        row = audit_labels(data_of(DRAWING), small=small).iloc[0]
        assert (row["components_small"], row["holes_small"]) == specks


@pytest.mark.parametrize("shape", [(17, 23), (6, 8, 9)])
def test_features_are_those_of_scikit_image(shape):
    rng = np.random.default_rng(0)
    masks = [rng.random(shape) < level for level in (0.2, 0.45, 0.7)]
    table = audit_labels(data_of(*masks), small=3)
    for mask, (_, row) in zip(masks, table.iterrows(), strict=True):
        for name, connectivity in (("1", 1), ("full", mask.ndim)):
            labels = measure.label(mask, connectivity=connectivity)
            assert row[f"components_{name}"] == labels.max()
            dual = mask.ndim if connectivity == 1 else 1
            framed = measure.label(np.pad(~mask, 1, constant_values=True), connectivity=dual)
            sizes = np.delete(np.bincount(framed.ravel())[1:], framed.ravel()[0] - 1)
            assert row[f"holes_{name}"] == len(sizes)
        assert row["holes_small"] == (sizes < 3).sum()
        assert row["components_small"] == (np.bincount(labels.ravel())[1:] < 3).sum()
        kinds = ("components", "holes", "tunnels") if mask.ndim == 3 else ("components", "holes")
        assert len(row) == 4 * 2 + (3 if mask.ndim == 3 else 0)
        for kind in kinds:
            assert row[f"{kind}_changed"] == abs(row[f"{kind}_1"] - row[f"{kind}_full"])
        for name, connectivity in (("1", 1), ("full", mask.ndim)):
            euler = measure.euler_number(mask, connectivity=connectivity)
            around = row[f"components_{name}"] + (-1) ** (mask.ndim - 1) * row[f"holes_{name}"]
            assert euler == around - (row[f"tunnels_{name}"] if mask.ndim == 3 else 0)


def test_all_splits_have_rows_and_ignored_pixels_no_features():
    table = audit_labels(DATA)
    assert table.groupby(level="split", sort=False).size().to_dict() == {
        "train": 3, "validation": 2, "test": 3
    }  # fmt: skip
    speck = np.zeros((5, 6), bool)
    speck[2, 2] = True
    counted = audit_labels(data_of(speck)).iloc[0]
    left_out = audit_labels(data_of(speck, ignored=speck)).iloc[0]
    assert (counted["components_full"], left_out["components_full"]) == (1, 0)


def test_real_masks_are_audited_by_the_command(capsys):
    table = AuditCommand(datasets=("brick", "vessels")).run()
    told = capsys.readouterr().out
    assert told.startswith(
        "| data set | masks | components 1 | components full | components changed"
    )
    for name in ("brick", "vessels"):
        data = load_dataset(name)
        sums = audit_labels(data).sum()
        assert table.loc[name].drop("masks").to_dict() == sums.to_dict()
        assert table.loc[name, "masks"] == sum(
            len(getattr(data, split)) for split in ("train", "validation", "test")
        )
        assert f"| {name} | " in told
    assert table.loc["brick", "holes_full"] > 0
    assert main(["audit", "--datasets", "brick", "--small", "9"]) == 0
    assert main(["audit", "--datasets", "none"]) == 1
    assert main(["audit", "--datasets", "brick", "--small", "0"]) == 1
    assert "small must be at least 1" in capsys.readouterr().err


def test_the_tunnel_of_a_ring_and_the_cavity_of_a_box():
    ring = np.zeros((3, 5, 5), bool)
    ring[1, 1:4, 1:4] = True
    ring[1, 2, 2] = False
    box = np.ones((3, 3, 3), bool)
    box[1, 1, 1] = False
    corner = ring.copy()
    corner[1, 1, 1] = False  # the ring hangs together at an edge alone
    found = audit_labels(data_of(ring, box, corner))
    for kind, one, full in [
        ("components", [1, 1, 1], [1, 1, 1]),
        ("holes", [0, 1, 0], [0, 1, 0]),
        ("tunnels", [1, 0, 0], [1, 0, 1]),
    ]:
        assert found[f"{kind}_1"].tolist() == one
        assert found[f"{kind}_full"].tolist() == full
    assert found["tunnels_changed"].tolist() == [0, 0, 1]


def test_images_and_volumes_stand_in_one_table(capsys):
    table = AuditCommand(datasets=("tubes", "vessels")).run()
    head, _, *rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()]
    tunnels = [k for k, title in enumerate(head) if "tunnels" in title]
    assert [head[k].strip() for k in tunnels] == ["tunnels 1", "tunnels full", "tunnels changed"]
    tubes, vessels = rows
    sums = audit_labels(load_dataset("tubes")).sum()
    assert [tubes[k].strip() for k in tunnels] == [
        str(sums[key]) for key in ("tunnels_1", "tunnels_full", "tunnels_changed")
    ]
    assert [vessels[k].strip() for k in tunnels] == [""] * 3
    assert vessels[2].strip() == str(table.loc["vessels", "components_1"])
    assert table.loc["tubes", "tunnels_full"] == sums["tunnels_full"]


def test_data_sets_take_their_options(capsys):
    table = AuditCommand(datasets=("retina", "retina:masks=annotated")).run()
    assert table.index.tolist() == ["retina", "retina:masks=annotated"]
    sums = audit_labels(load_dataset("retina", masks="annotated")).sum()
    assert table.loc["retina:masks=annotated"].drop("masks").to_dict() == sums.to_dict()
    assert not table.iloc[0].equals(table.iloc[1])
    assert main(["audit", "--datasets", "retina:masks"]) == 1
    assert main(["audit", "--datasets", "retina:strands=True"]) == 1
    with pytest.raises(ValueError, match="datasets must name one at least; got 'brick'"):
        AuditCommand(datasets="brick").run()


def test_what_is_no_set_of_masks_is_refused():
    with pytest.raises(TypeError, match="data must be a Dataset; got str"):
        audit_labels("brick")
    with pytest.raises(ValueError, match="small must be at least 1; got 0"):
        audit_labels(DATA, small=0)
    labels = replace(DATA.train[0], mask=DATA.train[0].mask.astype(np.int64))
    with pytest.raises(ValueError, match="the mask of 'ring-0' holds labels of classes"):
        audit_labels(replace(DATA, train=(labels,)))
