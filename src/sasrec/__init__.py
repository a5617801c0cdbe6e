"""Self-attentive sequential recommendation: train, evaluate and use a next-item model.

    import sasrec

    recommender = sasrec.train("ml-100k", {"epochs": 20}, out="saved/films")
    recommender.recommend([["50", "172", "181"]], k=5)

The public names are imported on first use, so that importing the package is fast.
"""

from __future__ import annotations

import sys
from importlib import import_module  # already imported by Python itself for -m

_as_program = " ".join(sys.orig_argv).partition(" -m ")[2].partition(" ")[0].partition(".")[0]
if (
    getattr(sys, "argv", [])[:1] == ["-m"]
    and _as_program == "sasrec"
    and not sys.flags.safe_path
    and sys.path
):
    # ``python -m sasrec`` puts the current folder first in sys.path, so that Python files that
    # happen to be next to the user's data would be imported.
    del sys.path[0]

TYPE_CHECKING = False  # same as typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from typing import Any

    from sasrec.comparison.start import compare as compare
    from sasrec.data.batches.batching import Batch as Batch
    from sasrec.data.description.describe import Description as Description
    from sasrec.data.description.describe import describe as describe
    from sasrec.data.drift.comparison import DataComparison as DataComparison
    from sasrec.data.formats.plugin_readers import register_reader as register_reader
    from sasrec.data.presplit.sources import Parts as Parts
    from sasrec.errors import SasrecError as SasrecError
    from sasrec.evaluation.registration import Metric as Metric
    from sasrec.evaluation.registration import register_metric as register_metric
    from sasrec.experiment.compare_data import compare_data as compare_data
    from sasrec.experiment.evaluate import Evaluation as Evaluation
    from sasrec.experiment.evaluate import evaluate as evaluate
    from sasrec.experiment.forecast import Forecast as Forecast
    from sasrec.experiment.forecast import forecast as forecast
    from sasrec.experiment.recommend_all import recommend_all as recommend_all
    from sasrec.experiment.train import resume as resume
    from sasrec.experiment.train import train as train
    from sasrec.experiment.updating.update import update as update
    from sasrec.experiment.updating.updated import Updated as Updated
    from sasrec.exporting.export import Exported as Exported
    from sasrec.exporting.export import export as export
    from sasrec.losses.contract import FullLoss as FullLoss
    from sasrec.losses.contract import SampledLoss as SampledLoss
    from sasrec.losses.registration import register_loss as register_loss
    from sasrec.models.contract import Catalogue as Catalogue
    from sasrec.models.contract import NextItemModel as NextItemModel
    from sasrec.models.registration import register_model as register_model
    from sasrec.recommender.extend import extend as extend
    from sasrec.recommender.loading import load as load
    from sasrec.recommender.new_items import with_new_items as with_new_items
    from sasrec.recommender.recommender import Recommendation as Recommendation
    from sasrec.recommender.recommender import Recommender as Recommender
    from sasrec.recommender.rules.rules import Boost as Boost
    from sasrec.recommender.rules.rules import Rules as Rules
    from sasrec.settings.fields import Settings as Settings
    from sasrec.settings.plugins import load_plugin as load_plugin
    from sasrec.tuning.options import SearchOptions as SearchOptions
    from sasrec.tuning.tune import tune as tune

_MODULES = {
    "Description": "sasrec.data.description.describe",
    "Evaluation": "sasrec.experiment.evaluate",
    "SasrecError": "sasrec.errors",
    "compare": "sasrec.comparison.start",
    "compare_data": "sasrec.experiment.compare_data",
    "DataComparison": "sasrec.data.drift.comparison",
    "describe": "sasrec.data.description.describe",
    "evaluate": "sasrec.experiment.evaluate",
    "export": "sasrec.exporting.export",
    "Exported": "sasrec.exporting.export",
    "Forecast": "sasrec.experiment.forecast",
    "forecast": "sasrec.experiment.forecast",
    "recommend_all": "sasrec.experiment.recommend_all",
    "resume": "sasrec.experiment.train",
    "train": "sasrec.experiment.train",
    "update": "sasrec.experiment.updating.update",
    "Updated": "sasrec.experiment.updating.updated",
    "extend": "sasrec.recommender.extend",
    "load": "sasrec.recommender.loading",
    "with_new_items": "sasrec.recommender.new_items",
    "Recommender": "sasrec.recommender.recommender",
    "Recommendation": "sasrec.recommender.recommender",
    "Boost": "sasrec.recommender.rules.rules",
    "Rules": "sasrec.recommender.rules.rules",
    # For plug-ins:
    "Batch": "sasrec.data.batches.batching",
    "Catalogue": "sasrec.models.contract",
    "FullLoss": "sasrec.losses.contract",
    "Metric": "sasrec.evaluation.registration",
    "NextItemModel": "sasrec.models.contract",
    "Parts": "sasrec.data.presplit.sources",
    "SampledLoss": "sasrec.losses.contract",
    "Settings": "sasrec.settings.fields",
    "load_plugin": "sasrec.settings.plugins",
    "register_loss": "sasrec.losses.registration",
    "register_metric": "sasrec.evaluation.registration",
    "register_model": "sasrec.models.registration",
    "register_reader": "sasrec.data.formats.plugin_readers",
    "SearchOptions": "sasrec.tuning.options",
    "tune": "sasrec.tuning.tune",
}

__version__ = "0.1.0"
__all__ = [  # loaded on first use
    "Batch",
    "Boost",
    "Catalogue",
    "DataComparison",
    "Description",
    "Evaluation",
    "Exported",
    "Forecast",
    "FullLoss",
    "Metric",
    "NextItemModel",
    "Parts",
    "Recommendation",
    "Recommender",
    "Rules",
    "SampledLoss",
    "SasrecError",
    "SearchOptions",
    "Settings",
    "Updated",
    "compare",
    "compare_data",
    "describe",
    "evaluate",
    "export",
    "extend",
    "forecast",
    "load",
    "load_plugin",
    "recommend_all",
    "register_loss",
    "register_metric",
    "register_model",
    "register_reader",
    "resume",
    "train",
    "tune",
    "update",
    "with_new_items",
]


def __getattr__(name: str) -> Any:
    """Import a public name from the module that defines it.

    Args:
        name: One of ``__all__``.

    Returns:
        The object with this name.

    Raises:
        AttributeError: There is no such public name.
    """
    if name not in _MODULES:
        raise AttributeError(f"module 'sasrec' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """Return the public names, for editors and interactive use."""
    return sorted([*__all__, "__version__", "__doc__"])
