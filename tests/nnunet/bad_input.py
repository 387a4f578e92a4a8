"""Bad input that `nnunet` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

from toposeg_lite.nnunet import Addition

ADDITION = Addition("topological")

CASES = [
    ("a loss of another name", lambda: Addition("dice"), ValueError, "loss must be one of .dice_b"),
    (
        "an unknown option",
        lambda: Addition("morse", {"window": 3}),
        TypeError,
        "no option 'window'",
    ),
    ("a sum without parts", lambda: Addition("sum"), TypeError, "parts"),
    ("a start at the end", lambda: Addition("morse", start=1), ValueError, "start must be below 1"),
    (
        "volumes for a loss of images",
        lambda: Addition("topograph").make(regions=False, spacing=(1.0, 1.0, 1.0)),
        ValueError,
        "loss of images alone",
    ),
    *[
        (
            f"{name} among the options, {where}",
            lambda o=options: Addition(*o),
            ValueError,
            f"options must not name {name}: it follows from the data set",
        )
        for name, value in {"activation": "softmax", "ignore_index": 9, "reduction": "sum"}.items()
        for where, options in {
            "of a loss": ("cldice", {name: value}),
            "of a part": ("sum", {"parts": {"cldice": {name: value}}}),
            "of a sum": ("sum", {"parts": {"cldice": {}}, name: value}),
        }.items()
    ],
    *[
        (
            f"{name} of {value!r} in the environment",
            lambda n=name, v=value: ADDITION.changed({n: v}),
            ValueError,
            f"the environment variable {name} is no good .*: {text}",
        )
        for name, value, text in [
            ("TOPOSEG_WEIGHT", "much", r"'much' \(Expecting value"),
            ("TOPOSEG_WEIGHT", "-1", r"'-1' \(weight must be finite and zero or above"),
            ("TOPOSEG_WEIGHT", "true", r"'true' \(weight must be a number"),
            ("TOPOSEG_WEIGHT", "NaN", r"'NaN' \(weight must be finite"),
            ("TOPOSEG_WEIGHT", "", r"'' \(Expecting value"),
            ("TOPOSEG_START", "750", r"'750' \(start must lie in \[0, 1\]"),
            ("TOPOSEG_START", "1", r"'1' \(start must be below 1"),
            ("TOPOSEG_WARM_UP", "2", r"'2' \(warm_up must lie in \[0, 1\]"),
            ("TOPOSEG_OPTIONS", "window=3", r"'window=3' \(Expecting value"),
            ("TOPOSEG_OPTIONS", "[3]", r"'\[3\]' \("),
            ("TOPOSEG_OPTIONS", '{"tube": 1}', ".*topological has no option 'tube'"),
            ("TOPOSEG_OPTIONS", '{"window": 0}', ".*window must be at least 1"),
            ("TOPOSEG_OPTIONS", '{"ignore_index": 9}', ".*options must not name ignore_index"),
        ]
    ],
]
