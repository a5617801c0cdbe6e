"""``python -m sasrec_serve`` is ``sasrec-serve``."""

from sasrec_serve.cli import main

main()
