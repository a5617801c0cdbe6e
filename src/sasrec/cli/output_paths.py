"""Output paths: ``~`` in paths of options, and default names of output folders."""

from __future__ import annotations

from pathlib import Path

from sasrec.errors import SettingsError


def expanded(path: Path) -> Path:
    """Return a path with ``~`` expanded; shells do not expand it in ``--out=~/model``.

    Args:
        path: The path as given.

    Returns:
        The expanded path.

    Raises:
        SettingsError: The user in ``~user`` does not exist.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise SettingsError(f"{path}: {error}") from error


def folder_name(data: str) -> str:
    """Return the default name of a folder for results on a data set.

    Args:
        data: Name or path of the data.

    Returns:
        A name of letters, digits, ``-``, ``_`` and ``.``.
    """
    from sasrec.data.source_names import short_name

    name = data if data.startswith("synthetic:") else short_name(data)
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)


def model_folder_name(data: str, model: str) -> str:
    """Return the default name of the folder for a model trained on a data set.

    Args:
        data: Name or path of the data.
        model: Name of the model.

    Returns:
        The ``folder_name`` for SASRec; for other models, ``-`` and the model name are appended.
    """
    return folder_name(data) + ("" if model == "SASRec" else f"-{model}")
