"""Options for rules, of every command that makes lists; a file of rules has the same ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from sasrec.errors import SettingsError

if TYPE_CHECKING:
    from sasrec.recommender.rules.rules import Rules


def _option(name: str, metavar: str, text: str) -> Any:
    """Return an option that only ``--help-rules`` lists; a help has to fit on a screen."""
    return typer.Option(name, metavar=metavar, help=text, hidden=True)


def _print_help(is_asked: bool) -> None:
    """Print the options for rules and exit, if asked."""
    if not is_asked:
        return
    from rich.table import Table
    from rich.text import Text

    from sasrec.cli.terminal import plain_console

    table = Table(title="Options for rules (docs/rules.md)", title_justify="left")
    for heading in ("option", "", "effect"):
        table.add_column(heading)
    for option in OPTIONS.values():
        shown = option.__metadata__[0]
        table.add_row(
            *map(Text, (shown.param_decls or [shown.default])[:1]), shown.metavar, Text(shown.help)
        )
    plain_console().print(table)
    raise typer.Exit


OPTIONS: dict[str, Any] = {
    "rules": Annotated[
        Path | None,
        typer.Option("--rules", metavar="FILE", help="Rules (YAML); options: --help-rules."),
    ],
    "items": Annotated[
        str | None,
        _option("--items", "FILE", "Table with a row per item (csv, parquet, …); wins over saved."),
    ],
    "only_where": Annotated[
        list[str] | None,
        _option("--only-where", "CONDITION", "Such as \"stock > 0 and category != 'gift'\"."),
    ],
    "exclude_where": Annotated[
        list[str] | None, _option("--exclude-where", "CONDITION", "Items never recommended.")
    ],
    "exclude": Annotated[str | None, _option("--exclude", "ITEM,…", "Items never recommended.")],
    "candidates_by_user": Annotated[
        str | None,
        _option("--candidates-by-user", "FILE", "Table of users and the items they may get."),
    ],
    "exclude_by_user": Annotated[
        str | None,
        _option("--exclude-by-user", "FILE", "Table of users and items they must not get."),
    ],
    "seen": Annotated[
        str | None,
        _option("--seen", "WHEN", "Seen items: never, always, or such as 'older than 30d'."),
    ],
    "seen_types": Annotated[
        str | None,
        _option("--seen-types", "TYPE,…", "Types of events that count as seen, such as purchase."),
    ],
    "rebuy_where": Annotated[
        str | None, _option("--rebuy-where", "CONDITION", "Items recommended although seen.")
    ],
    "now": Annotated[
        str | None, _option("--now", "DATE", "Moment that ages refer to; default: now.")
    ],
    "boost": Annotated[
        list[str] | None,
        _option("--boost", "BOOST", "Such as \"multiply 1.2 where brand = 'own'\"; or 'add …'."),
    ],
    "max_per": Annotated[
        list[str] | None,
        _option("--max-per", "COLUMN=N", "At most N items with the same value in a list."),
    ],
    "diversity": Annotated[
        float | None, _option("--diversity", "0…1", "How strongly to avoid similar items.")
    ],
    "fill_up": Annotated[
        str | None,
        _option("--fill-up", "HOW", "popularity: fill up short lists; default none."),
    ],
    "next_type": Annotated[
        str | None,
        _option("--next-type", "TYPE", "Not a rule: type of event to predict, such as purchase."),
    ],
}
"""Name of each rule to its option."""
HELP = "help_rules"
HelpRules = Annotated[
    bool | None,
    typer.Option("--help-rules", callback=_print_help, is_eager=True, hidden=True),
]
LISTS = ("only_where", "exclude_where", "boost")
"""Rules of which the options add to those of the file."""


def taking_rules(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with options for rules, which it receives as ``rules`` and ``items``.

    Args:
        command: A function with the parameters ``rules`` (Rules or None), ``items`` (a path or
            None) and ``next_type`` (text or None), whose other parameters Typer reads.

    Returns:
        A function with the options as parameters instead.
    """

    @wraps(command)
    def ruled(*arguments: Any, **options: Any) -> None:
        given = {name: options.pop(name, None) for name in OPTIONS}
        options.pop(HELP, None)
        items, options["next_type"] = given.pop("items"), given.pop("next_type")
        command(*arguments, **options, rules=rules_from_options(given, items), items=items)

    signature, hints = inspect.signature(command), _hints(command)
    kept = [
        each.replace(annotation=hints[name])
        for name, each in signature.parameters.items()
        if name in hints
    ]
    options = {**OPTIONS, HELP: HelpRules}
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in options.items()
    ]
    ruled.__annotations__ = {**{each.name: hints[each.name] for each in kept}, **options}
    ruled.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*kept, *added]
    )
    return ruled


def _hints(command: Callable[..., None]) -> dict[str, Any]:
    """Return the types of the parameters that Typer reads; that of the rules is not imported."""

    def typed() -> None:
        """Hold the annotations."""

    left_out = ("rules", "items", "next_type", "return")
    typed.__annotations__ = {k: v for k, v in command.__annotations__.items() if k not in left_out}
    return get_type_hints(typed, command.__globals__, include_extras=True)


def rules_from_options(given: dict[str, Any], items: str | None) -> Rules | None:
    """Return the rules of a file and of options.

    Args:
        given: Name of each option to its value, None or empty for those not given.
        items: The table of items, or None.

    Returns:
        The rules; None if there are none.

    Raises:
        SettingsError: A rule is invalid, or items are given without a rule.
    """
    options = {name: value for name, value in given.items() if value not in (None, [])}
    file = options.pop("rules", None)
    if file is None and not options:
        if items is not None:
            raise SettingsError("--items is only used with rules; add a rule, such as --only-where")
        return None
    from sasrec.recommender.rules.written import rules_of, values_in

    values, origins = ({}, {}) if file is None else values_in(file)
    if "max_per" in options:
        rules_of(values, origins)  # refuses what is no mapping
        options["max_per"] = {**values.get("max_per", {}), **_limits(options["max_per"])}
    if "exclude" in options:
        options["exclude"] = [t.strip() for t in options["exclude"].split(",") if t.strip()]
    for name in set(LISTS) & set(options):
        options[name] = [*_as_list(values.get(name, [])), *options[name]]
    for name in options:
        if name in origins:
            option = f"--{name.replace('_', '-')}"
            adds = name in LISTS or name == "max_per"
            origins[name] = f"{origins[name]} and {option}" if adds else option
    return rules_of({**values, **options}, origins)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _limits(words: list[str]) -> dict[str, int]:
    """Return limits from words such as ``category=2``.

    Raises:
        SettingsError: A word has another form.
    """
    limits = {}
    for word in words:
        column, equals, number = word.rpartition("=")
        if not equals or not column.strip() or not number.strip().isdecimal():
            raise SettingsError(f"--max-per is {word!r}; write COLUMN=N, such as category=2")
        limits[column.strip()] = int(number)
    return limits
