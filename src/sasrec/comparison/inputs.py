"""Which models of a comparison learn from the content of items and the types of events."""

from __future__ import annotations

from collections.abc import Sequence

from sasrec.comparison.entries import Measured
from sasrec.comparison.entry import Entry
from sasrec.recommender.recommender import Recommender
from sasrec.settings.data import DataSettings
from sasrec.settings.inputs import unused_inputs
from sasrec.settings.registry import MODELS
from sasrec.settings.resolve import RunSettings

IN_WORDS = {
    "type_column": "the types of events",
    "content_columns": "the content of items",
    "item_vectors": "the vectors of items",
}
"""Settings of inputs that only some models can use, in words."""


def measured_so_far(run: RunSettings) -> Measured:
    """Return a model to train without measurements, with the inputs that it cannot use.

    Args:
        run: Settings of the model.
    """
    unused = unused_inputs(run.data, MODELS[run.model_name])
    given = {key: value for key, value in run.given().items() if key not in unused}
    return Measured(settings=given, unused=unused)


def saved_without(known: Recommender, data: DataSettings) -> tuple[str, ...]:
    """Return the inputs of a comparison that a saved model did not learn from.

    Args:
        known: The saved model.
        data: Settings of the comparison.

    Returns:
        Names of settings.
    """
    own = known.settings["data"]
    cannot = unused_inputs(data, MODELS[known.settings["model_name"]])
    given = [key for key in IN_WORDS if getattr(data, key)]
    return tuple(key for key in given if key in cannot or not own.get(key))


def input_remarks(entries: Sequence[Entry], data: DataSettings) -> tuple[str, ...]:
    """Return a sentence for each input that not all models learned from.

    Args:
        entries: Results of the models, baselines included, which only count events.
        data: Settings of the comparison.

    Returns:
        Which models learned from it and which did not.
    """
    models = [entry for entry in entries if not entry.is_baseline]
    remarks = []
    for key, words in IN_WORDS.items():
        without = [entry.model for entry in models if key in entry.unused]
        if not getattr(data, key) or not without:
            continue
        used = [entry.model for entry in models if key not in entry.unused]
        if used:
            remarks.append(
                f"{_subject(used)} {'learns' if len(used) == 1 else 'learn'} from {words} ({key}); "
                f"{_subject(without)} {'does' if len(without) == 1 else 'do'} not"
            )
        else:
            remarks.append(f"no model learns from {words} ({key})")
    return tuple(remarks)


def _subject(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
