"""Self-attentive sequential recommendation: train, evaluate and use a next-item model.

    import sasrec

    recommender = sasrec.train("ml-100k", {"epochs": 20}, out="saved/films")
    recommender.recommend([["50", "172", "181"]], k=5)

The names below are loaded on first use, so that importing the package is quick.
"""

from __future__ import annotations

import sys
from importlib import import_module  # there already, as Python itself needs it for -m

_as_program = " ".join(sys.orig_argv).partition(" -m ")[2].partition(" ")[0].partition(".")[0]
if (
    getattr(sys, "argv", [])[:1] == ["-m"]
    and _as_program == "sasrec"
    and not sys.flags.safe_path
    and sys.path
):
    # Python is about to run us as ``python -m sasrec`` does, and has put the current folder first:
    # modules that lie there beside somebody's data would be imported.
    del sys.path[0]

TYPE_CHECKING = False  # that of typing is no more than this, and takes an import
if TYPE_CHECKING:
    from typing import Any

    from sasrec.comparison.start import compare as compare
    from sasrec.errors import SasrecError as SasrecError
    from sasrec.experiment.evaluate import Evaluation as Evaluation
    from sasrec.experiment.evaluate import evaluate as evaluate
    from sasrec.experiment.train import resume as resume
    from sasrec.experiment.train import train as train
    from sasrec.recommender.loading import load as load
    from sasrec.recommender.recommender import Recommendation as Recommendation
    from sasrec.recommender.recommender import Recommender as Recommender
    from sasrec.tuning.options import SearchOptions as SearchOptions
    from sasrec.tuning.tune import tune as tune

_HOMES = {
    "Evaluation": "sasrec.experiment.evaluate",
    "SasrecError": "sasrec.errors",
    "compare": "sasrec.comparison.start",
    "evaluate": "sasrec.experiment.evaluate",
    "resume": "sasrec.experiment.train",
    "train": "sasrec.experiment.train",
    "load": "sasrec.recommender.loading",
    "Recommender": "sasrec.recommender.recommender",
    "Recommendation": "sasrec.recommender.recommender",
    "SearchOptions": "sasrec.tuning.options",
    "tune": "sasrec.tuning.tune",
}

__version__ = "0.1.0"
__all__ = [  # loaded on first use
    "Evaluation",
    "Recommendation",
    "Recommender",
    "SasrecError",
    "SearchOptions",
    "compare",
    "evaluate",
    "load",
    "resume",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    """Load a public name from the file that defines it.

    Args:
        name: One of ``__all__``.

    Returns:
        What it stands for.

    Raises:
        AttributeError: There is no such public name.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'sasrec' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the public names, for editors and people who look around."""
    return sorted([*__all__, "__version__", "__doc__"])
