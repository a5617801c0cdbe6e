"""Runs the command line for ``python -m sasrec``."""

from sasrec.cli.app import main

main()
