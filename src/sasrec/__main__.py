"""``python -m sasrec``."""

from sasrec.cli.app import main

main()
