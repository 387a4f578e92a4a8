"""The printed command ``python -m toposeg_lite.training.calibration``; see `studies.__main__`."""

import sys

from ..workbook.studies.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["calibration", *sys.argv[1:]]))
