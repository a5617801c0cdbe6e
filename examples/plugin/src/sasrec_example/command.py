"""A command of its own: ``sasrec items MODEL``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def items(model: Annotated[Path, typer.Argument(help="Model folder.")]) -> None:
    """Print the items a saved model knows."""
    import sasrec  # here, so that 'sasrec --help' stays quick

    for token in sasrec.load(model).items.entries:
        print(token)
