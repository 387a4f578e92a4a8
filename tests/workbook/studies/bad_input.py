"""Bad input that `workbook/studies` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from bad_values import IMAGE, MASK

from toposeg_lite.data import Dataset, Sample, load_dataset
from toposeg_lite.training import TrainConfig
from toposeg_lite.workbook.studies import (
    Arm,
    Comparison,
    Study,
    StudyConfig,
    across,
    calibration,
    choose_weight,
    judge,
    prepare_folder,
    read_runs,
    statistics,
    study,
    transfer,
)
from toposeg_lite.workbook.studies.orders import OrderOptions, order_study

SCORES = pd.DataFrame({"network": ["control"], "seed": [0], "image": ["a"], "dice": [0.5]})
PLACES = [SCORES.assign(place=place) for place in transfer.PLACES]
PAIR = transfer.Transfer("walls", "nets", pd.concat(PLACES), {})
SAMPLE = Sample("a", IMAGE[None].astype(np.float32), MASK)
SMALL = Dataset("small", (SAMPLE,), (SAMPLE,), (SAMPLE,), "foreground", "exact", 20, "none")

compare = StudyConfig.from_parameters

CASES = [
    # --- structures ---
    (
        "dropout, rate",
        lambda: calibration.DropoutUNet(1, rate=1.0),
        ValueError,
        "rate must be below 1",
    ),
    (
        "calibration study, passes",
        lambda: calibration.calibration_study(
            load_dataset("brick"),
            TrainConfig(dataset="brick"),
            "/nowhere",
            calibration.CalibrationOptions(passes=0),
        ),
        ValueError,
        "passes must be at least 1",
    ),
    # --- training ---
    (
        "compare without images to score",
        lambda: compare(dataset="brick").check(replace(load_dataset("brick"), test=())),
        ValueError,
        "the data set 'brick' has no test images",
    ),
    (
        "compare unknown",
        lambda: compare(steps=3),
        ValueError,
        r"unknown parameter 'steps'; there are dataset, root, loss",
    ),
    *(
        (
            f"compare arms and {name}",
            lambda name=name, value=value: compare(arms=study.ARMS, **{name: value}),
            ValueError,
            f"a study takes no '{name}': name arms and seeds",
        )
        for name, value in {
            "loss": "cldice",
            "loss_options": {"iterations": 3},
            "weight": 0.5,
            "seed": 1,
        }.items()
    ),
    (
        "compare dataset",
        lambda: compare(dataset="cat"),
        ValueError,
        r"dataset must be one of 'retina'",
    ),
    (
        "compare loss",
        lambda: compare(loss="cat"),
        ValueError,
        r"loss must be one of 'dice_bce'",
    ),
    (
        "compare weight 0",
        lambda: compare(weight=0),
        ValueError,
        r"each of weights must be finite and above zero; got 0",
    ),
    (
        "compare no weight",
        lambda: compare(weight=()),
        ValueError,
        r"there must be one to six weights to try",
    ),
    (
        "compare seven weights",
        lambda: compare(weight=(1, 2, 3, 4, 5, 6, 7)),
        ValueError,
        r"there must be one to six weights to try",
    ),
    (
        "compare equal weights",
        lambda: compare(weight=(1, 1.0)),
        ValueError,
        r"the weights to try must differ",
    ),
    (
        "compare weight None",
        lambda: compare(weight=None),
        TypeError,
        r"each of weights must be a number; got None",
    ),
    (
        "compare steps 0",
        lambda: compare(pretrain_steps=0),
        ValueError,
        r"pretrain_steps must be at least 1",
    ),
    (
        "compare steps 2.0",
        lambda: compare(finetune_steps=2.0),
        TypeError,
        r"finetune_steps must be an integer",
    ),
    (
        "compare window",
        lambda: compare(window="all"),
        TypeError,
        r"window must be an integer",
    ),
    (
        "compare connectivity",
        lambda: compare(connectivity=8),
        ValueError,
        r"connectivity must be 1",
    ),
    (
        "compare connectivity 3 in 2D",
        lambda: compare(connectivity=3).load(),
        ValueError,
        r"connectivity must be 1 \(4 neighbours\) or 2",
    ),
    (
        "compare patch 3D",
        lambda: compare(patch=(8, 8, 8)).load(),
        ValueError,
        r"patch must name one side for each of the 2 axes",
    ),
    (
        "compare a dict",
        lambda: Comparison({}, "."),
        TypeError,
        r"config must be a StudyConfig; got dict",
    ),
    (
        "compare several",
        lambda: Comparison(StudyConfig(TrainConfig("brick"), seeds=(0, 1)), "/nowhere"),
        ValueError,
        r"a comparison is a study of one arm and one seed; config has 9 and 2",
    ),
    (
        "study in patches",
        lambda: StudyConfig(TrainConfig(), in_patches=1),
        TypeError,
        r"in_patches must be True or False; got 1",
    ),
    (
        "folder name",
        lambda: prepare_folder(compare(), name="../a"),
        ValueError,
        r"plain folder name; got '../a'",
    ),
    (
        "folder name empty",
        lambda: prepare_folder(compare(), name=""),
        ValueError,
        r"plain folder name; got ''",
    ),
    (
        "folder resume",
        lambda: prepare_folder(compare(), resume="True"),
        TypeError,
        r"resume must be True or False; got 'True'",
    ),
    (
        "folder of a dict",
        lambda: prepare_folder({}),
        TypeError,
        r"config must be a StudyConfig; got dict",
    ),
    (
        "choose nothing",
        lambda: choose_weight(pd.DataFrame({"dice": [], "betti_error": []})),
        ValueError,
        r"there is no weight to choose from",
    ),
    ("judge nothing", lambda: judge([], []), ValueError, r"errors of the same images; got 0 and 0"),
    (
        "judge others",
        lambda: judge([1], [1, 2]),
        ValueError,
        r"errors of the same images; got 1 and 2",
    ),
    (
        "choose without control",
        lambda: choose_weight(pd.DataFrame({"dice": [0.8], "betti_matching_error": [1.0]}, [0.1])),
        ValueError,
        r"scores must have a row for the control, weight 0.*got the rows \[0\.1\]",
    ),
    ("arm without name", lambda: Arm("", "cldice"), ValueError, r"name must be a plain file name"),
    (
        "arm control",
        lambda: Arm("control", "cldice"),
        ValueError,
        r"neither 'parent' nor 'control'",
    ),
    ("arm in a folder", lambda: Arm("a/b", "cldice"), ValueError, r"plain file name.*got 'a/b'"),
    (
        "study shared",
        lambda: StudyConfig({}),
        TypeError,
        r"shared must be a TrainConfig; got dict",
    ),
    (
        "study arms by name",
        lambda: StudyConfig(TrainConfig(), "cldice"),
        TypeError,
        r"arms must be a sequence; got 'cldice'",
    ),
    (
        "study arms of names",
        lambda: StudyConfig(TrainConfig(), ["cldice"]),
        TypeError,
        r"arms must hold instances of Arm; got 'cldice'",
    ),
    (
        "study arms alike",
        lambda: StudyConfig(TrainConfig(), [Arm("a", "cldice"), Arm("a", "morse")]),
        ValueError,
        r"arms must be one or more of different names; got \['a', 'a'\]",
    ),
    (
        "study arm of no loss",
        lambda: StudyConfig(TrainConfig(), [Arm("a", "cat")]),
        ValueError,
        r"loss must be one of",
    ),
    (
        "study arm of seven weights",
        lambda: StudyConfig(TrainConfig(), [Arm("a", "cldice", weights=range(1, 8))]),
        ValueError,
        r"there must be one to six weights to try",
    ),
    (
        "study seeds alike",
        lambda: StudyConfig(TrainConfig(), seeds=(1, 1)),
        ValueError,
        r"seeds must be one or more different numbers; got \(1, 1\)",
    ),
    (
        "study seed below 0",
        lambda: StudyConfig(TrainConfig(), seeds=(-1,)),
        ValueError,
        r"each of seeds must be at least 0",
    ),
    (
        "study choose_on",
        lambda: StudyConfig(TrainConfig(), choose_on="last"),
        ValueError,
        r"choose_on must be one of 'each', 'first'",
    ),
    (
        "study config",
        lambda: Study(TrainConfig(), "."),
        TypeError,
        r"config must be a StudyConfig; got TrainConfig",
    ),
    # --- study of the orders of questions ---
    (
        "orders without tests",
        lambda: order_study(replace(SMALL, test=()), TrainConfig(), "none", OrderOptions()),
        ValueError,
        "the data set 'small' has no test images",
    ),
    (
        "orders window",
        lambda: order_study(SMALL, TrainConfig(), "none", OrderOptions(window=0)),
        ValueError,
        "window must be at least 1; got 0",
    ),
    (
        "orders draws",
        lambda: order_study(SMALL, TrainConfig(), "none", OrderOptions(draws=0)),
        ValueError,
        "draws must be at least 1; got 0",
    ),
    # --- statistics and runs ---
    (
        "differences text",
        lambda: statistics.sign_flip_test("ab"),
        TypeError,
        r"differences must hold numbers; got dtype <U2",
    ),
    (
        "differences axes",
        lambda: statistics.bootstrap_interval(np.ones((2, 2, 2))),
        ValueError,
        r"differences must have the axes \(seeds, images\).*got shape \(2, 2, 2\)",
    ),
    (
        "differences empty",
        lambda: statistics.rank_biserial([]),
        ValueError,
        r"differences must have the axes.*got shape \(0,\)",
    ),
    (
        "differences nan",
        lambda: statistics.sign_flip_test([1.0, np.nan]),
        ValueError,
        r"differences hold values that are NaN",
    ),
    (
        "bootstrap over",
        lambda: statistics.bootstrap_interval([1.0, 2.0], over="eyes"),
        ValueError,
        r"over must be one of 'both', 'images', 'seeds'",
    ),
    (
        "bootstrap level",
        lambda: statistics.bootstrap_interval([1.0, 2.0], level=95),
        ValueError,
        r"level must be between 0 and 1; got 95",
    ),
    (
        "bootstrap draws",
        lambda: statistics.bootstrap_interval([1.0, 2.0], draws=0),
        ValueError,
        r"draws must be at least 1; got 0",
    ),
    (
        "bootstrap seed",
        lambda: statistics.bootstrap_interval([1.0, 2.0], seed=-1),
        ValueError,
        r"seed must be at least 0; got -1",
    ),
    (
        "bootstrap relative to another shape",
        lambda: statistics.bootstrap_interval([1.0, 2.0], relative_to=[1.0]),
        ValueError,
        r"relative_to must have the shape of differences, \(1, 2\); got \(1, 1\)",
    ),
    (
        "bootstrap relative to negative scores",
        lambda: statistics.bootstrap_interval([1.0, 2.0], relative_to=[1.0, -1.0]),
        ValueError,
        r"relative_to must hold finite numbers of at least 0",
    ),
    (
        "bootstrap relative to words",
        lambda: statistics.bootstrap_interval([1.0, 2.0], relative_to=["a", "b"]),
        TypeError,
        r"relative_to must hold real numbers",
    ),
    (
        "groups of others",
        lambda: statistics.sign_flip_test([1.0, 2.0], groups=["a"]),
        ValueError,
        r"groups must have a label for each of 2 images; got 1",
    ),
    (
        "groups in a word",
        lambda: statistics.bootstrap_interval([1.0, 2.0], groups="ab"),
        TypeError,
        r"groups must be a label for each image, in a row; got 'ab'",
    ),
    (
        "groups by a number",
        lambda: statistics.rank_biserial([1.0, 2.0], groups=2),
        TypeError,
        r"groups must be a label for each image, in a row; got 2",
    ),
    (
        "groups of no kind",
        lambda: statistics.find_groups(["11L"], "eyes"),
        ValueError,
        r"groups must be one of 'persons', 'images'; got 'eyes'",
    ),
    (
        "groups without an image",
        lambda: statistics.find_groups(["11L", "11R"], {"11L": 11}),
        ValueError,
        r"groups must name the group of each image; '11R' is missing",
    ),
    (
        "flips draws",
        lambda: statistics.sign_flip_test([1.0, 2.0], draws=1.5),
        TypeError,
        r"draws must be an integer; got 1\.5",
    ),
    (
        "holm range",
        lambda: statistics.holm([0.1, 1.2]),
        ValueError,
        r"p_values must lie in \[0, 1\]",
    ),
    ("holm nan", lambda: statistics.holm([np.nan]), ValueError, r"p_values must lie in \[0, 1\]"),
    (
        "holm axes",
        lambda: statistics.holm([[0.1]]),
        ValueError,
        r"p_values must have one axis.*got shape \(1, 1\)",
    ),
    ("holm text", lambda: statistics.holm(["a"]), TypeError, r"p_values must hold numbers"),
    (
        "tau, networks",
        lambda: statistics.kendall_tau([1.0, 2.0], [1.0]),
        ValueError,
        r"first and second must score the same networks.*\(2,\) and \(1,\)",
    ),
    (
        "tau, text",
        lambda: statistics.kendall_tau(["a", "b"], [1.0, 2.0]),
        TypeError,
        "first must hold real numbers",
    ),
    (
        "rank correlation, draws",
        lambda: statistics.rank_correlation([1.0, 2.0], [1.0, 2.0], draws=0),
        ValueError,
        "draws must be at least 1",
    ),
    (
        "across, no study",
        lambda: across.AcrossCommand(onto=("retina",)).run(),
        ValueError,
        "studies must name one at least",
    ),
    (
        "across, a data set",
        lambda: across.read_name(3),
        TypeError,
        "onto must be a text; got 3",
    ),
    (
        "visitor, channels",
        lambda: across.Visitor(torch.nn.Identity(), channels=0),
        ValueError,
        "channels must be at least 1",
    ),
    (
        "visitor, scale",
        lambda: across.Visitor(torch.nn.Identity(), channels=1, scale=0),
        ValueError,
        "scale must be finite and above zero",
    ),
    (
        "visitor, inverted",
        lambda: across.Visitor(torch.nn.Identity(), channels=1, inverted=1),
        TypeError,
        "inverted must be",
    ),
    ("visitor, model", lambda: across.Visitor(3, channels=1), TypeError, "model must be"),
    (
        "orders, none",
        lambda: transfer.compare_orders({}),
        TypeError,
        "transfers must map one name at least",
    ),
    (
        "orders, no transfer",
        lambda: transfer.compare_orders({"a": 3}),
        TypeError,
        "transfers must hold instances of Transfer",
    ),
    (
        "order interval, level",
        lambda: transfer.order_interval(PAIR, "dice", level=1.0),
        ValueError,
        "level must be between 0 and 1",
    ),
    (
        "order interval, metric",
        lambda: transfer.order_interval(PAIR, "betti_error"),
        ValueError,
        "metric must be one of 'dice'",
    ),
    (
        "order interval, transfer",
        lambda: transfer.order_interval(3, "dice"),
        TypeError,
        "transfer must be a Transfer; got int",
    ),
    ("transfers, folder", lambda: transfer.read_transfers(3), TypeError, "folder must be a path"),
    (
        "scores table",
        lambda: statistics.compare_networks([1], "dice"),
        TypeError,
        r"scores must be a DataFrame; got list",
    ),
    (
        "scores columns",
        lambda: statistics.compare_networks(pd.DataFrame({"dice": [1]}), "dice"),
        ValueError,
        r"scores must have the columns network, seed and image",
    ),
    (
        "scores metric",
        lambda: statistics.compare_networks(SCORES, "cldice"),
        ValueError,
        r"metric must be one of 'dice'",
    ),
    (
        "scores control",
        lambda: statistics.compare_networks(SCORES, "dice", control="x"),
        ValueError,
        r"network must be one of 'control'",
    ),
    (
        "scores alone",
        lambda: statistics.compare_networks(SCORES, "dice"),
        ValueError,
        r"scores hold no network to compare with 'control'",
    ),
    (
        "runs folder",
        lambda: read_runs("no such folder"),
        FileNotFoundError,
        r"there is no folder no such folder",
    ),
]
