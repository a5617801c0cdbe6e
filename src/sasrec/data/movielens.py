"""MovieLens: downloaded from GroupLens (or in RecBole's wheel) and written as atomic files.

GroupLens allows research use but no redistribution, so the data are not part of this package.
"""

from __future__ import annotations

import hashlib
import subprocess
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from sasrec.errors import DataError
from sasrec.system.children import python_command

Progress = Callable[[int, int], None]
"""Called with the number of bytes received and the total (0 if unknown)."""

GROUPLENS = "https://files.grouplens.org/datasets/movielens"
RECBOLE_WHEEL = "recbole==1.2.1"
TIMEOUT_SECONDS = 20
RATINGS_HEADER = b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
USERS_HEADER = "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token"
FILMS_HEADER = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"


def movielens_100k(folder: Path, progress: Progress) -> None:
    """Write ml-100k's atomic files from GroupLens' archive."""
    zipped = folder / "ml-100k.zip"
    _download(
        f"{GROUPLENS}/ml-100k.zip",
        zipped,
        "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        progress,
    )
    with _archive(zipped) as archive:
        ratings = _member(archive, "ml-100k/u.data")
        films = _member(archive, "ml-100k/u.item").decode("latin-1")
        genres = _member(archive, "ml-100k/u.genre").decode("latin-1")
        people = _member(archive, "ml-100k/u.user").decode("latin-1")
    zipped.unlink()
    (folder / "ml-100k.inter").write_bytes(RATINGS_HEADER + ratings)
    names = [line.split("|")[0] for line in genres.splitlines() if "|" in line]
    rows = [_film_100k(line.split("|"), names) for line in films.splitlines() if line]
    _write_items(folder / "ml-100k.item", rows)
    users = "".join(f"{line}\n" for line in [USERS_HEADER, *people.splitlines()])
    (folder / "ml-100k.user").write_text(users.replace("|", "\t"), encoding="utf-8")


def movielens_100k_from_wheel(folder: Path, progress: Progress) -> None:
    """Write ml-100k's atomic files from the copy in RecBole's wheel.

    Args:
        folder: The folder to write them to.
        progress: Called once, when the wheel has been downloaded.

    Raises:
        DataError: pip cannot download the wheel, or it is damaged.
    """
    # Only wheels, because a source archive would run code when pip downloads it.
    how = ("--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:")
    fetched = subprocess.run(
        python_command("-m", "pip", "download", *how, "--dest", str(folder), RECBOLE_WHEEL),
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if fetched.returncode or not wheels:
        reason = (fetched.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DataError(f"pip cannot download {RECBOLE_WHEEL} ({reason})")
    progress(wheels[0].stat().st_size, wheels[0].stat().st_size)
    with _archive(wheels[0]) as archive:
        for name in ("ml-100k.inter", "ml-100k.item", "ml-100k.user"):
            content = _member(archive, f"recbole/dataset_example/ml-100k/{name}")
            (folder / name).write_bytes(content)
    wheels[0].unlink()


def movielens_1m(folder: Path, progress: Progress) -> None:
    """Write ml-1m's atomic files from GroupLens' archive."""
    zipped = folder / "ml-1m.zip"
    _download(
        f"{GROUPLENS}/ml-1m.zip",
        zipped,
        "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        progress,
    )
    with _archive(zipped) as archive:
        ratings = _member(archive, "ml-1m/ratings.dat")
        films = _member(archive, "ml-1m/movies.dat").decode("latin-1")
    zipped.unlink()
    (folder / "ml-1m.inter").write_bytes(RATINGS_HEADER + ratings.replace(b"::", b"\t"))
    fields = [line.split("::") for line in films.splitlines() if line]
    rows = [(film[0], *_title_and_year(film[1]), film[2].replace("|", " ")) for film in fields]
    _write_items(folder / "ml-1m.item", rows)


def _film_100k(fields: list[str], genres: list[str]) -> tuple[str, str, str, str]:
    flags = fields[5 : 5 + len(genres)]
    named = " ".join(genre for genre, flag in zip(genres, flags, strict=True) if flag == "1")
    return (fields[0], *_title_and_year(fields[1]), named)


def _title_and_year(text: str) -> tuple[str, str]:
    title, bracket, year = text.strip().rpartition(" (")
    return (title, year.rstrip(")")) if bracket and year.rstrip(")").isdigit() else (text, "")


def _write_items(path: Path, rows: list[tuple[str, str, str, str]]) -> None:
    path.write_text(
        "\n".join([FILMS_HEADER, *("\t".join(row) for row in rows)]) + "\n", encoding="utf-8"
    )


def _download(url: str, target: Path, sha256: str, progress: Progress) -> None:
    try:
        with (
            urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response,  # noqa: S310
            target.open("wb") as file,
        ):
            total = int(response.headers.get("Content-Length") or 0)
            done = 0
            while piece := response.read(1 << 16):
                file.write(piece)
                done += len(piece)
                progress(done, total)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise DataError(f"{url} cannot be reached ({getattr(error, 'reason', error)})") from error
    if sha256_of(target) != sha256:
        raise DataError(f"{url} has the wrong checksum: the file was damaged or changed")


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise DataError(f"{path.name} is not a zip archive: the download is damaged") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except (KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{archive.filename} contains no readable file {name}") from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Args:
        path: The file.

    Returns:
        64 hex digits.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
