"""``python -m sasrec.recbole run.py --key=value`` is ``sasrec recbole exec run.py --key=value``."""

import sys

from sasrec.recbole.names import run_script
from sasrec.system.exits import run_and_exit
from sasrec.system.streams import unguarded_streams


def main() -> None:
    """Run the script on the command line; errors are printed as by the ``sasrec`` command.

    Raises:
        SystemExit: Always.
    """
    if len(sys.argv) < 2:
        print(
            "error: no script is given; use: python -m sasrec.recbole run.py --key=value",
            file=sys.stderr,
        )
        sys.exit(2)
    run_and_exit(_run)


def _run() -> None:
    with unguarded_streams():  # the script writes to the real streams, as under python itself
        run_script(sys.argv[1], sys.argv[2:])


if __name__ == "__main__":
    main()
