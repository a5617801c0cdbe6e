"""Places: finds the files of a source, which may be a file, folder, pattern, URL, or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sasrec.data.catalogue import ENTRIES, fetch
from sasrec.data.formats.copies import Copies, plain_name
from sasrec.data.formats.part_files import PartFile, parts_below, parts_matching
from sasrec.data.formats.readers import TABLES, check_suffix, has_types
from sasrec.data.formats.remote import fetched
from sasrec.data.movielens import Progress
from sasrec.data.source_names import (
    WEB,
    as_one,
    file_name,
    is_pattern,
    lasting,
    scheme_of,
    short_name,
    sources_in,
)
from sasrec.errors import DataError, did_you_mean, without_passwords
from sasrec.settings.data import DataSettings

SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True)
class Place:
    """The files of a source.

    Attributes:
        name: Short name of the data set.
        origin: A source that means the same in another folder.
        where: What messages call it.
        parts: Its files, in order.
    """

    name: str
    origin: str
    where: str
    parts: tuple[PartFile, ...]

    @property
    def texts_only(self) -> bool:
        """Whether the files have no types, so that texts may mean numbers."""
        return bool(self.parts) and not any(has_types(part.path) for part in self.parts)


def find(source: str, settings: DataSettings, progress: Progress, copies: Copies) -> Place:
    """Return the files of a source; those of a URL or of the catalogue are downloaded.

    Args:
        source: A file, folder, pattern, URL or name, or several of them as one text.
        settings: The folder in which names are looked up, and the needed columns.
        progress: Called while a file is downloaded.
        copies: Where downloaded files are kept.

    Returns:
        Its files.

    Raises:
        DataError: There is no such file, or a file is listed twice.
    """
    sources = sources_in(source)
    if len(sources) == 1:
        return _found(sources[0], settings, progress, copies)
    places = [_found(each, settings, progress, copies) for each in sources]
    parts = tuple(part for place in places for part in place.parts)
    _check_distinct(parts)
    where = f"{places[0].where} and {len(places) - 1:,} more"
    return Place(short_name(source), as_one([each.origin for each in places]), where, parts)


def _check_distinct(parts: Sequence[PartFile]) -> None:
    """Raise an error if a file is listed twice, since its events would count twice.

    Raises:
        DataError: It is so.
    """
    known: set[Path] = set()
    for part in parts:
        path = part.path.resolve()
        if path in known:
            raise DataError(f"{part.path} is given twice, so its events would count twice")
        known.add(path)


def _found(source: str, settings: DataSettings, progress: Progress, copies: Copies) -> Place:
    """Return the files of one source."""
    if scheme := scheme_of(source):
        if scheme in WEB or not source.endswith("/"):
            check_suffix(Path(file_name(source)), source)
        path = fetched(source, settings, copies, progress)
        return Place(short_name(source), without_passwords(source), source, (PartFile(path),))
    path = _path(source)
    if not path.exists() and is_pattern(source):
        parts = parts_matching(str(path), tuple(TABLES))
        return Place(short_name(source), lasting(source), source, tuple(parts))
    folder = _folder(source, settings)
    if folder is not None and _inter_file(folder, settings) is None:
        parts = parts_below(folder, tuple(TABLES))
        if parts:
            return Place(short_name(str(folder)), lasting(str(folder)), str(folder), tuple(parts))
    path = locate(source, settings, progress)
    origin = source if source in ENTRIES else str(path.resolve())
    name = short_name(str(path)) if source not in ENTRIES else path.stem
    return Place(name, origin, str(path), (PartFile(path),))


def locate(source: str, settings: DataSettings, progress: Progress) -> Path:
    """Return the file of a name or path; a data set of the catalogue is downloaded if needed.

    Args:
        source: A file, a folder with ``NAME.inter``, or a name.
        settings: The folder in which names are looked up.
        progress: Called while a data set is downloaded.

    Returns:
        The file.

    Raises:
        DataError: There is no such file.
    """
    path = _path(source)
    if path.exists() and not path.is_dir():
        return path
    folder = _folder(source, settings)
    if folder is not None:
        file = _inter_file(folder, settings)
        if file is None:
            raise DataError(
                f"the folder {folder} does not contain {folder.resolve().name}.inter, nor "
                "files such as .csv or .parquet; an atomic data set is NAME/NAME.inter"
            )
        return file
    if source in ENTRIES:
        return fetch(source, progress) / f"{source}.inter"
    if path.suffix or len(path.parts) > 1:
        raise DataError(f"{source}: no such file or folder")
    raise DataError(
        f"there is no data set {source!r} in {settings.data_path}/ or in the catalogue"
        f"{did_you_mean(source, [*ENTRIES, SYNTHETIC])} (catalogue: "
        f"{', '.join([*ENTRIES, SYNTHETIC])}; or give the path of a file or folder)"
    )


def companion(source: str, suffix: str, settings: DataSettings) -> Path | None:
    """Return where the .user or .item file of a source would be.

    Args:
        source: A source that was read before.
        suffix: ``.user`` or ``.item``.
        settings: The folder in which names are looked up.

    Returns:
        A path, which need not exist; None if the source is generated, or not one atomic file.
    """
    if source.partition(":")[0] == SYNTHETIC or len(sources_in(source)) > 1 or scheme_of(source):
        return None
    path = _path(source)
    if not path.exists() and is_pattern(source):
        return None
    folder = _folder(source, settings)
    if folder is not None and _inter_file(folder, settings) is None:
        return None
    file = locate(source, settings, lambda done, total: None)
    return file.with_name(plain_name(file)).with_suffix(suffix)


def _path(source: str) -> Path:
    try:
        path = Path(source).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # name too long, no such user, NUL byte
        raise DataError(f"{source[:200]!r} is not a valid path ({error})") from error
    return path


def _folder(source: str, settings: DataSettings) -> Path | None:
    """Return the folder that a source means; None if it is a file or a name of the catalogue."""
    path = _path(source)
    if path.exists() and not path.is_dir():
        return None
    folders = (path, Path(settings.data_path) / source)
    return next((folder for folder in folders if folder.is_dir()), None)


def _inter_file(folder: Path, settings: DataSettings) -> Path | None:
    named = folder / f"{folder.resolve().name}.inter"
    if named.is_file() or settings.split_files is not None:
        return named
    others = sorted(folder.glob("*.inter"))
    return others[0] if len(others) == 1 else None
