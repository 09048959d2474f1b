"""Runs one part of the bench: `scripts/bench gateway`. The parts are the modules of tests/bench/.

With --check only the arguments are read, by the standard library alone: nothing need be installed yet.
"""

import sys

from processes import ROOT

sys.path.insert(0, str(ROOT))

from tests.bench import command

if __name__ == "__main__":
    sys.exit(command.main(sys.argv[1:]))
