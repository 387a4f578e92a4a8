"""``python -m toposeg_lite.training``: the commands of `toposeg_lite.workbook.studies`."""

import sys

from ..workbook.studies.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
