"""RecBole's functions and classes, with RecBole's names, arguments and results.

``python -m sasrec.recbole run.py`` runs a script written for RecBole (see ``names.py``). The names
below are imported on first use.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # type checkers take it as True; importing typing would be slower
if TYPE_CHECKING:
    from typing import Any

    from sasrec.recbole.config import Config as Config
    from sasrec.recbole.config import init_logger as init_logger
    from sasrec.recbole.config import init_seed as init_seed
    from sasrec.recbole.data import load_data_and_model as load_data_and_model
    from sasrec.recbole.hyper import HyperTuning as HyperTuning
    from sasrec.recbole.quick_start import objective_function as objective_function
    from sasrec.recbole.quick_start import run as run
    from sasrec.recbole.quick_start import run_recbole as run_recbole
    from sasrec.recbole.scores import full_sort_scores as full_sort_scores
    from sasrec.recbole.scores import full_sort_topk as full_sort_topk
    from sasrec.recbole.trainer import Trainer as Trainer
    from sasrec.recbole.trainer import create_dataset as create_dataset
    from sasrec.recbole.trainer import data_preparation as data_preparation
    from sasrec.recbole.trainer import get_model as get_model
    from sasrec.recbole.trainer import get_trainer as get_trainer

_MODULES = {
    "Config": "config",
    "HyperTuning": "hyper",
    "Trainer": "trainer",
    "create_dataset": "trainer",
    "data_preparation": "trainer",
    "full_sort_scores": "scores",
    "full_sort_topk": "scores",
    "get_model": "trainer",
    "get_trainer": "trainer",
    "init_logger": "config",
    "init_seed": "config",
    "load_data_and_model": "data",
    "objective_function": "quick_start",
    "run": "quick_start",
    "run_recbole": "quick_start",
}
__all__ = [
    "Config",
    "HyperTuning",
    "Trainer",
    "create_dataset",
    "data_preparation",
    "full_sort_scores",
    "full_sort_topk",
    "get_model",
    "get_trainer",
    "init_logger",
    "init_seed",
    "load_data_and_model",
    "objective_function",
    "run",
    "run_recbole",
]


def __getattr__(name: str) -> Any:
    """Import one of RecBole's names from the module that defines it.

    Args:
        name: One of ``__all__``.

    Returns:
        The function or class.

    Raises:
        AttributeError: The name is not in ``__all__``.
    """
    if name not in _MODULES:
        raise AttributeError(f"module 'sasrec.recbole' has no attribute {name!r}")
    return getattr(import_module(f"sasrec.recbole.{_MODULES[name]}"), name)
