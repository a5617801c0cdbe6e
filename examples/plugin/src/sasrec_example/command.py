"""An additional command: ``sasrec items MODEL``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def items(model: Annotated[Path, typer.Argument(help="Model folder.")]) -> None:
    """Print the items of a saved model."""
    import sasrec  # imported here, so that 'sasrec --help' stays fast

    for token in sasrec.load(model).items.entries:
        print(token)
