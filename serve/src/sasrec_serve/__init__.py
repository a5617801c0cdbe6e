"""Recommend with exported sasrec models, without PyTorch, in Python and by HTTP.

    import sasrec_serve

    recommender = sasrec_serve.load("films")
    recommender.recommend([["50", "172", "181"]], k=5)

The public names are imported on first use, so that importing the package is fast.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # same as typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from typing import Any

    from sasrec_serve.errors import DataError as DataError
    from sasrec_serve.errors import ExportError as ExportError
    from sasrec_serve.errors import ServeError as ServeError
    from sasrec_serve.errors import SettingsError as SettingsError
    from sasrec_serve.lists import Recommendation as Recommendation
    from sasrec_serve.lists import SimilarItems as SimilarItems
    from sasrec_serve.loading import load as load
    from sasrec_serve.recommender import Recommender as Recommender
    from sasrec_serve.rules.rules import Boost as Boost
    from sasrec_serve.rules.rules import Rules as Rules

_MODULES = {
    "Boost": "sasrec_serve.rules.rules",
    "DataError": "sasrec_serve.errors",
    "ExportError": "sasrec_serve.errors",
    "Recommendation": "sasrec_serve.lists",
    "Recommender": "sasrec_serve.recommender",
    "Rules": "sasrec_serve.rules.rules",
    "ServeError": "sasrec_serve.errors",
    "SettingsError": "sasrec_serve.errors",
    "SimilarItems": "sasrec_serve.lists",
    "load": "sasrec_serve.loading",
}
__all__ = [*_MODULES]


def __getattr__(name: str) -> Any:
    """Import a public name on first use.

    Args:
        name: The name.

    Returns:
        What it stands for.

    Raises:
        AttributeError: There is no such name.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted([*globals(), *_MODULES])
