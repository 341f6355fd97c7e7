"""``python -m rustuya``: the command line of the Rust binary."""

import signal
import sys

from . import _native


def main() -> int:
    """Runs the command line, and returns the exit status."""
    # Python's handler would turn Ctrl-C into KeyboardInterrupt, which the Rust code does not see.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.run_command_line(["rustuya", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
