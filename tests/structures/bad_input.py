"""Bad input that `structures` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

import numpy as np
import torch
from bad_values import EMPTY, IMAGE, MASK, NAN

from toposeg_lite import structures

LOGITS = torch.linspace(-3, 3, 12).reshape(1, 1, 3, 4)
LABELS = (LOGITS[0] > 0).long()
POINTWISE = torch.nn.Identity()
BRANCHES = structures.find_branches([[0.9, 0.1, 0.8, 0.2, 0.7]])
STRUCTURES = structures.StructureModel(POINTWISE)
HEADED = structures.StructureModel(POINTWISE, mode="branch")
KNOWN = HEADED.distribution(torch.tensor([[[[2.0, -2.0, 1.5, -1.0, 1.0]]]]))

CASES = [
    # --- structures ---
    ("branches of NaN", lambda: structures.find_branches(NAN), ValueError, "likelihood holds 2"),
    ("branches of logits", lambda: structures.find_branches(IMAGE * 3), ValueError, "sigmoid"),
    ("branches of nothing", lambda: structures.find_branches(EMPTY), ValueError, "is empty"),
    (
        "branches of a tensor",
        lambda: structures.find_branches(LOGITS.sigmoid()),
        TypeError,
        "likelihood must be a NumPy array; got a torch tensor",
    ),
    (
        "branches, min_persistence",
        lambda: structures.find_branches(IMAGE, min_persistence=-0.1),
        ValueError,
        r"min_persistence must lie in \[0, 1\]",
    ),
    (
        "branches, split",
        lambda: structures.find_branches(IMAGE, split=2),
        ValueError,
        r"split must lie in \[0, 1\]",
    ),
    (
        "branches, split None",
        lambda: structures.find_branches(IMAGE, split=None),
        TypeError,
        "split must be a number",
    ),
    (
        "branches, connectivity",
        lambda: structures.find_branches(IMAGE[None], connectivity=3),
        ValueError,
        "1 .6 neighbours.",
    ),
    ("decisions, float", lambda: BRANCHES.mask(np.full(2, 0.5)), TypeError, "got dtype float64"),
    ("decisions, bool", lambda: BRANCHES.mask(np.ones(2, bool)), TypeError, "pass np.where"),
    ("mask, radius", lambda: BRANCHES.mask(np.ones(2, int), radius=-1), ValueError, "radius"),
    (
        "branches, specks",
        lambda: structures.find_branches(IMAGE, specks=1),
        TypeError,
        "specks must be True or False",
    ),
    ("decisions, number", lambda: BRANCHES.mask(np.ones(5, int)), ValueError, "each of the 2 bran"),
    ("decisions, 2", lambda: BRANCHES.mask(np.array([1, 2])), ValueError, "0 .undecided. or -1"),
    ("truth on branches", lambda: BRANCHES.fraction_on(MASK), ValueError, "same shape"),
    ("chosen", lambda: BRANCHES.draw(np.ones(2)), ValueError, "one boolean for each of the 2"),
    (
        "values to paint",
        lambda: BRANCHES.paint(np.ones(3)),
        ValueError,
        "one number for each of the 2 branches",
    ),
    ("walk, branches", lambda: structures.perturb_and_walk(IMAGE, 0), TypeError, "a BranchSet"),
    ("walk, seed", lambda: structures.perturb_and_walk(BRANCHES, None), TypeError, "seed must be"),
    (
        "walk, chosen",
        lambda: structures.perturb_and_walk(BRANCHES, 0, chosen=[True]),
        ValueError,
        "one boolean for each of the 2 branches",
    ),
    (
        "walk, gamma",
        lambda: structures.perturb_and_walk(BRANCHES, 0, gamma=1.1),
        ValueError,
        "gamma must lie in",
    ),
    (
        "walk, sigma",
        lambda: structures.perturb_and_walk(BRANCHES, 0, sigma=-1),
        ValueError,
        "sigma must be finite and zero or above",
    ),
    (
        "calibration, shapes",
        lambda: structures.expected_calibration_error([0.5, 0.5], [1]),
        ValueError,
        "probabilities and truth must have the same shape",
    ),
    (
        "calibration, above 1",
        lambda: structures.expected_calibration_error([1.5], [1]),
        ValueError,
        r"probabilities must lie in \[0, 1\]",
    ),
    (
        "calibration, NaN",
        lambda: structures.reliability_diagram([np.nan], [1]),
        ValueError,
        "hold no NaN",
    ),
    (
        "calibration, truth of 255",
        lambda: structures.reliability_diagram([0.5], [255]),
        ValueError,
        r"truth must lie in \[0, 1\]",
    ),
    ("calibration of nothing", lambda: structures.fit_temperature([], []), ValueError, "are empty"),
    (
        "calibration of tensors",
        lambda: structures.fit_temperature(LOGITS, LOGITS),
        TypeError,
        "got a torch tensor",
    ),
    (
        "calibration, bins",
        lambda: structures.reliability_diagram([0.5], [1], bins=0),
        ValueError,
        "bins must be 1 to",
    ),
    (
        "calibration, weights",
        lambda: structures.reliability_diagram([0.5], [1], weights=[0.0]),
        ValueError,
        "some above zero",
    ),
    (
        "scaling, temperature",
        lambda: structures.scale_probabilities([0.5], 0),
        ValueError,
        "temperature must be finite and above zero",
    ),
    ("structures, network", lambda: structures.StructureModel(None), TypeError, "torch.nn.Module"),
    (
        "structures, mode",
        lambda: structures.StructureModel(POINTWISE, mode="tree"),
        ValueError,
        "'threshold', 'branch'; got 'tree'",
    ),
    (
        "structures, ndim",
        lambda: structures.StructureModel(POINTWISE, ndim=4),
        ValueError,
        "ndim must be 2",
    ),
    (
        "structures, connectivity",
        lambda: structures.StructureModel(POINTWISE, ndim=3, connectivity=3),
        ValueError,
        "connectivity must be 1",
    ),
    (
        "structures, cold",
        lambda: structures.StructureModel(POINTWISE, temperature=(0.02, 0.02)),
        ValueError,
        "begin at 0.1 or above; got 0.02",
    ),
    (
        "structures, warming",
        lambda: structures.StructureModel(POINTWISE, temperature=(0.1, 0.2)),
        ValueError,
        "temperature must end above 0 and not above 0.1",
    ),
    (
        "structures, one temperature",
        lambda: structures.StructureModel(POINTWISE, temperature=0.1),
        TypeError,
        "two numbers",
    ),
    (
        "structures, weight",
        lambda: structures.StructureModel(POINTWISE, kl_weight=-1),
        ValueError,
        "kl_weight must be finite and zero or above",
    ),
    (
        "structures, features",
        lambda: structures.StructureModel(POINTWISE, mode="branch", features="head"),
        ValueError,
        "features must name a submodule",
    ),
    (
        "structures, features of no layer",
        lambda: structures.StructureModel(
            torch.nn.Sequential(POINTWISE), mode="branch", features="0"
        ),
        ValueError,
        "tells its in_channels",
    ),
    (
        "structures, features of the threshold",
        lambda: structures.StructureModel(torch.nn.Conv2d(1, 1, 1), features="head"),
        ValueError,
        "features belongs to the mode 'branch'",
    ),
    *[
        (
            f"structures, {name} of the other mode",
            lambda options={"mode": mode, name: value}: structures.StructureModel(
                POINTWISE, **options
            ),
            ValueError,
            f"{name} belongs to the mode '{other}'; this model's is '{mode}'",
        )
        for mode, other, options in (
            (
                "threshold",
                "branch",
                {"walk": False, "gamma": 0.5, "sigma": 0.1, "weigh_by": "count"},
            ),
            (
                "branch",
                "threshold",
                {"temperature": (0.2, 0.1), "anneal_steps": 9, "spread_weight": 0.1},
            ),
        )
        for name, value in options.items()
    ],
    (
        "structures, unknown option",
        lambda: structures.StructureModel(POINTWISE, floor=0.1),
        TypeError,
        "no option 'floor'",
    ),
    (
        "structures, decide",
        lambda: structures.StructureModel(POINTWISE, decide=structures.BranchHead),
        TypeError,
        "decide must be a Threshold or a BranchHead",
    ),
    (
        "structures, decide and mode",
        lambda: structures.StructureModel(
            POINTWISE, decide=structures.Threshold(), mode="threshold", anneal_steps=9
        ),
        ValueError,
        "either decide or mode and its options; got decide and mode, anneal_steps",
    ),
    (
        "structures, decide of another model",
        lambda: structures.StructureModel(POINTWISE, decide=HEADED.decide),
        ValueError,
        "decide belongs to another model already",
    ),
    (
        "branch head, temperature",
        lambda: structures.BranchHead(temperature=(0.2, 0.1)),
        TypeError,
        "temperature",
    ),
    (
        "branch head, walk",
        lambda: structures.BranchHead(walk=1),
        TypeError,
        "walk must be True or False",
    ),
    (
        "branch head, gamma",
        lambda: structures.BranchHead(gamma=2),
        ValueError,
        r"gamma must lie in \[0, 1\]",
    ),
    (
        "branch head, weigh_by",
        lambda: structures.BranchHead(weigh_by="size"),
        ValueError,
        "weigh_by must be one of 'length', 'count'; got 'size'",
    ),
    ("threshold, gamma", lambda: structures.Threshold(gamma=0.5), TypeError, "gamma"),
    (
        "threshold, steps",
        lambda: structures.Threshold(anneal_steps=0),
        ValueError,
        "anneal_steps must be at least 1",
    ),
    ("sample, array", lambda: STRUCTURES.sample(IMAGE, 1, 0), TypeError, "a torch tensor"),
    ("sample, ints", lambda: STRUCTURES.sample(LABELS[None], 1, 0), TypeError, "floating point"),
    (
        "sample, 3D",
        lambda: STRUCTURES.sample(LOGITS[None], 1, 0),
        ValueError,
        r"\(B, channels, H, W",
    ),
    (
        "sample, no image",
        lambda: STRUCTURES.sample(LOGITS[:0], 1, 0),
        ValueError,
        "image is empty",
    ),
    (
        "sample, NaN",
        lambda: STRUCTURES.sample(LOGITS * torch.nan, 1, 0),
        ValueError,
        "logits hold values that are NaN",
    ),
    (
        "sample, channels",
        lambda: STRUCTURES.sample(LOGITS.expand(1, 3, 3, 4), 1, 0),
        ValueError,
        r"must return logits of the shape \(1, 1, 3, 4\) or \(1, 2, 3, 4\); got \(1, 3, 3, 4\)",
    ),
    ("sample, -1", lambda: STRUCTURES.sample(LOGITS, -1, 0), ValueError, "n must be at least 0"),
    (
        "sample, no seed",
        lambda: STRUCTURES.sample(LOGITS, 1, None),
        TypeError,
        "seed must be an int",
    ),
    (
        "sample, text",
        lambda: STRUCTURES.sample(LOGITS, 1, "0"),
        TypeError,
        "seed must be an integer",
    ),
    (
        "structure loss, truth",
        lambda: STRUCTURES.loss(LOGITS, LABELS * 2, seed=0),
        ValueError,
        "truth must hold only 0 and 1",
    ),
    ("prior of branches", lambda: HEADED.prior(LOGITS), ValueError, "mode 'threshold'"),
    (
        "posterior of branches",
        lambda: HEADED.posterior(LOGITS, LABELS),
        ValueError,
        "posterior belongs to the mode 'threshold'; this model's is 'branch'",
    ),
    (
        "temperature of branches",
        lambda: HEADED.temperature(),
        ValueError,
        "temperature belongs to the mode 'threshold'",
    ),
    ("learn a threshold", lambda: STRUCTURES.learn([], [], seed=0), ValueError, "mode 'branch'"),
    (
        "learn, number",
        lambda: HEADED.learn(KNOWN, [], seed=0),
        ValueError,
        "as many as distributions, 1",
    ),
    (
        "learn, shape",
        lambda: HEADED.learn(KNOWN, [np.ones(9)], seed=0),
        ValueError,
        "each of the 2 branches",
    ),
    (
        "learn, 2",
        lambda: HEADED.learn(KNOWN, [np.full(2, 2)], seed=0),
        ValueError,
        r"outcomes must lie in \[0, 1\]",
    ),
    (
        "calibrate, text",
        lambda: HEADED.calibrate(KNOWN, [["a", "b"]]),
        TypeError,
        "outcomes must hold real numbers",
    ),
    (
        "uncertainty of",
        lambda: KNOWN[0].uncertainty().map("mean"),
        ValueError,
        "'entropy', 'variance', 'probability'; got 'mean'",
    ),
    (
        "mask, accept",
        lambda: KNOWN[0].mask(accept=2),
        ValueError,
        r"accept must lie in \[0, 1\]",
    ),
    (
        "structure features, shape",
        lambda: structures.branch_features(BRANCHES, LOGITS[0, 0], LOGITS[0]),
        ValueError,
        "likelihood must have the shape",
    ),
    (
        "features of an image of other sides",
        lambda: structures.branch_features(BRANCHES, torch.zeros(1, 5), torch.zeros(1, 2, 5)),
        ValueError,
        r"each channel of the image must have the shape \(1, 5\)",
    ),
    # --- trained model, even light, reliability ---
    (
        "pretrained mode",
        lambda: structures.load_pretrained("both"),
        ValueError,
        "mode must be one of",
    ),
    (
        "pretrained path",
        lambda: structures.load_pretrained(path="none.safetensors"),
        FileNotFoundError,
        "no trained model at none.safetensors",
    ),
    (
        "even light window",
        lambda: structures.EvenLight(window=8),
        ValueError,
        "window must be odd; got 8",
    ),
    ("even light small", lambda: structures.EvenLight(window=1), ValueError, "window"),
    (
        "even light array",
        lambda: structures.EvenLight()(np.zeros((1, 3, 4, 4))),
        TypeError,
        "torch tensor",
    ),
    (
        "even light grey",
        lambda: structures.EvenLight()(torch.zeros(1, 1, 4, 4)),
        ValueError,
        r"\(B, 3, H, W\)",
    ),
]
