"""The command ``python -m toposeg_lite.report``; --help says all."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields

from tqdm import tqdm

from .making import make_report
from .options import ReportOptions


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a report; return 0, or 2 if something was wrong with what was given."""
    parser = argparse.ArgumentParser(
        prog="python -m toposeg_lite.report",
        description="Score a folder of predicted masks against a folder of true ones, matched by "
        "name: report.html shows what went wrong where, scores.parquet holds every metric of "
        "every image. The same command goes on with what was stopped.",
    )
    parser.add_argument("predictions", help="the folder of the predicted masks")
    parser.add_argument("truths", help="the folder of the true masks")
    parser.add_argument("--out", default="report", help="the folder of the report (report)")
    parser.add_argument("--compare", metavar="OTHER", help="predictions of another method: compare")
    parser.add_argument(
        "--workers", type=int, help="processes (one for each core); not with --scheduler"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="a Dask scheduler, tcp://..., whose workers score"
    )
    parser.add_argument("--worst", type=int, default=12, help="how many images are shown (12)")
    kinds = {"connectivity": int, "patch": int, "ignore": int, "threshold": float}
    texts = {
        "labels": "what ARI and VOI label: foreground, or background",
        "connectivity": "of the structure: 1, or as many as there are axes (default)",
        "border": "of the image: open or closed",
        "patch": "side of the patches over which Betti errors are averaged (whole images)",
        "foreground": "which value of a mask is the structure: nonzero, or zero",
        "ignore": "the value of true pixels that have no label",
        "threshold": "predictions are likelihoods: the structure is where they are so high",
        "prediction_names": "how predictions are called: * is the name of the pair (*)",
        "truth_names": "how truths are called, for example 'label_*' (*)",
    }
    for field in fields(ReportOptions):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=kinds.get(field.name, str),
            default=field.default,
            help=texts[field.name],
        )
    given = vars(parser.parse_args(arguments))
    options = {field.name: given.pop(field.name) for field in fields(ReportOptions)}
    with tqdm(unit="mask", disable=None) as bar:
        try:
            table = make_report(**given, options=ReportOptions(**options), say=_Progress(bar))
        except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
            bar.close()
            print(error, file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            bar.close()
            print("Stopped. What was scored is kept: the same command goes on.", file=sys.stderr)
            return 130
    columns = [name for name in ("dice", "cldice", "betti_error") if name in table]
    print(table.groupby("method", sort=False)[columns].mean().round(4).to_string())
    print(f"{len(table)} masks; see {given['out']}/report.html")
    return 0


class _Progress:
    """Moves a bar by the lines ``checked 64 of 1000`` and ``scored 16 of 1000``."""

    def __init__(self, bar: tqdm) -> None:
        self.bar, self.word, self.done = bar, "", 0

    def __call__(self, line: str) -> None:
        word, *rest = line.split()
        if word not in ("checked", "scored"):
            return
        if self.word != word:
            self.word, self.done = word, 0
            self.bar.reset(int(rest[-1]))
            self.bar.set_description(word)
        self.bar.update(int(rest[0]) - self.done)
        self.done = int(rest[0])


if __name__ == "__main__":
    sys.exit(main())
