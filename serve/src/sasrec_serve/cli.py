"""The ``sasrec-serve`` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from sasrec_serve.errors import ServeError, SettingsError
from sasrec_serve.store_command import STORE, run_store

TEXT = "Serve an exported model by HTTP: POST /recommend, GET /docs for all paths."
EPILOG = """other commands:
  sasrec-serve key NAME --file FILE               make an API key
  sasrec-serve store import LOG --store URL       fill a store with the events of a log
  sasrec-serve store forget USER --store URL      delete everything about a user
  sasrec-serve store prune --before TIME --store URL
  sasrec-serve store info --store URL"""
MEANINGS = {
    "body_bytes": "bytes of a request's body",
    "header_bytes": "bytes of a request's headers",
    "histories": "histories, users or items of a request",
    "events": "events of a history, and events stored by a request",
    "k": "items in a list",
    "candidates": "candidates or excluded items of a request",
    "explained": "latest events that /explain explains",
    "batch": "histories that are computed together",
    "queue": "histories that wait; more get status 503",
    "connections": "open connections of a process; more get status 503",
    "seconds": "seconds that a request waits before it is computed",
    "receive_seconds": "seconds from the first to the last byte of a request",
    "idle_seconds": "seconds that a connection stays open without a request",
    "stop_seconds": "seconds that requests in progress may take after SIGTERM",
}


def main() -> None:
    """Run the command.

    Raises:
        SystemExit: Always; 0 after SIGTERM or Ctrl-C, 2 for what the user can mend.
    """
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Run the command with some words.

    Args:
        words: What follows ``sasrec-serve``.

    Returns:
        The exit code.
    """
    try:
        if words[:1] == ["key"]:
            return _make_key(words[1:])
        if words[:1] == ["store"]:
            return run_store(words[1:])
        return _serve(words)
    except ServeError as error:
        print(f"error: {_printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _serve(words: Sequence[str]) -> int:
    from sasrec_serve.server.limits import Limits
    from sasrec_serve.server.options import ServerOptions
    from sasrec_serve.server.serving import serve

    given = vars(_parser().parse_args(words))
    limits = {field.name: given.pop(f"max_{field.name}") for field in fields(Limits)}
    serve(ServerOptions(**given, limits=Limits(**limits)), announce=_announce)
    return 0


def _announce(address: str) -> None:
    print(f"sasrec-serve answers at {address}", flush=True)


def _parser() -> argparse.ArgumentParser:
    from sasrec_serve.server.limits import Limits
    from sasrec_serve.server.options import LOG_LEVELS

    parser = argparse.ArgumentParser(
        "sasrec-serve",
        usage="sasrec-serve DIR [options]; sasrec-serve --help lists them",
        description=TEXT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--version", action=_Version, help="print the version of this package")
    add("place", metavar="DIR", type=Path, help="an export, or a folder of exports (newest last)")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (%(default)s)")
    add(
        "--port", default=8000, type=int, metavar="N", help="port; 0 takes a free one (%(default)s)"
    )
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name with a dot that clients use for this server, such as that of a proxy",
    )
    add("--workers", default=1, type=int, metavar="N", help="processes that share the port (1)")
    add("--threads", default=1, type=int, metavar="N", help="of a search among many items, 1 or 2")
    add(
        "--approximate",
        action="store_true",
        help="search with an index; GET /model tells what share of the best items it finds",
    )
    add(
        "--watch",
        default=0.0,
        type=float,
        metavar="SECONDS",
        help="look for a new export, rules, items and keys so often; without it, after POST "
        "/reload or SIGHUP",
    )
    add(
        "--store",
        metavar="URL",
        default=os.environ.get(STORE),
        help=f"histories of users: a file such as events.sqlite, or a URL (or set {STORE})",
    )
    add("--rules", type=Path, metavar="FILE", help="sets of rules that requests can name")
    add(
        "--items",
        type=Path,
        metavar="FILE",
        help="table of items for rules, such as today's stock; its columns replace the export's",
    )
    add("--keys", type=Path, metavar="FILE", help="hashes of the API keys that are accepted")
    add("--log-level", default="info", choices=LOG_LEVELS, help="(%(default)s)")
    add(
        "--log-requests",
        default="errors",
        choices=("none", "errors", "all"),
        help="which requests are logged (%(default)s)",
    )
    add("--log-histories", action="store_true", help="log the bodies of logged requests too")
    limits = parser.add_argument_group("limits")
    for field in fields(Limits):
        kind = float if field.type == "float" else int
        limits.add_argument(
            f"--max-{field.name.replace('_', '-')}",
            dest=f"max_{field.name}",
            default=field.default,
            type=kind,
            metavar="N",
            help=f"{MEANINGS[field.name]} ({field.default:,})",
        )
    return parser


class _Version(argparse.Action):
    """Prints the version; it is only looked up if it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002
        super().__init__(option_strings, dest=argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"sasrec-serve {version('sasrec-serve')}")
        except PackageNotFoundError:
            print("sasrec-serve of an unknown version: it is not installed")
        parser.exit()


def _make_key(words: Sequence[str]) -> int:
    from sasrec_serve.server.keys import new_key

    parser = argparse.ArgumentParser("sasrec-serve key", description="Make an API key.")
    parser.add_argument("name", metavar="NAME", help="to find it in the file again")
    parser.add_argument(
        "--file",
        type=Path,
        required=True,
        metavar="FILE",
        help="file for its hash; for --keys FILE",
    )
    given = parser.parse_args(words)
    key = new_key(given.name, given.file)
    print(key)
    print(
        f"Its hash is in {given.file}; the key itself is kept nowhere, so copy it now.",
        file=sys.stderr,
    )
    return 0


def _printable(text: str) -> str:
    return "".join(
        sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text
    )


__all__ = ["SettingsError", "main", "run"]
