"""Run nnU-Net's commands one after another in one process: its import takes longer than they do.

Each line of the input is a command and its arguments in JSON. The commands are those that the
installed package names, with the arguments where they look for them.
"""

from __future__ import annotations

import json
import sys
import traceback
from importlib.metadata import entry_points

END = "the command ended with"


def main():
    commands = {script.name: script for script in entry_points(group="console_scripts")}
    for line in sys.stdin:
        sys.argv = json.loads(line)
        try:
            commands[sys.argv[0]].load()()
        except BaseException:  # also the SystemExit by which a command refuses its arguments
            traceback.print_exc()
            print(f"\n{END} 1", flush=True)
        else:
            print(f"\n{END} 0", flush=True)


if __name__ == "__main__":  # processes that nnU-Net starts import this file again
    main()
