"""Reports as plain text, for ``print`` and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sasrec.errors import counted, printable
from sasrec.evaluation.report import Report

MAX_WIDTH = 100
"""Width in characters up to which a table has a row for each model, not for each metric."""


def metric_heading(key: str) -> str:
    """Return a metric as it is printed, such as ``NDCG@10`` for ``ndcg@10``.

    Args:
        key: A key such as ``ndcg@10`` or ``gauc``.

    Returns:
        The heading.
    """
    name, _, k = key.partition("@")
    if not k:
        return name.upper()
    return f"{name.upper() if name in {'mrr', 'ndcg', 'map'} else name.capitalize()}@{k}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a plain-text table.

    Args:
        rows: Texts of equal number in each row; the first row is the heading.

    Returns:
        One line for each row; the first column is aligned left, the others right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0])]
        cells += [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def sizes_of(dataset: dict[str, Any]) -> str:
    """Return the name and the sizes of a data set in one line.

    Args:
        dataset: What ``describe_corpus`` returned.

    Returns:
        Such as ``ml-100k: 943 users, 1,682 items, 100,000 interactions``.
    """
    return (
        f"{dataset['name']}: {counted(dataset['users'], 'user')}, "
        f"{counted(dataset['items'], 'item')}, {counted(dataset['interactions'], 'interaction')}"
    )


def metric_rows(reports: Sequence[Report], part: str, decimals: int) -> list[list[str]]:
    """Return the metrics of several models as the cells of a table with a row for each metric.

    Args:
        reports: One report per model, all on the same cases.
        part: ``validation`` or ``test``.
        decimals: Decimal places.

    Returns:
        The heading, and one row per metric; empty if there are no cases.
    """
    keys = list(getattr(reports[0], part))
    if not keys:
        return []
    values = [[f"{getattr(each, part)[key]:.{decimals}f}" for each in reports] for key in keys]
    head = ["metric", *(report.model for report in reports)]
    return [head, *([metric_heading(key), *row] for key, row in zip(keys, values, strict=True))]


def models_in_rows(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the table of ``metric_rows`` with a row for each model instead.

    Args:
        rows: A table with a row for each metric.

    Returns:
        The transposed table.
    """
    turned = [list(line) for line in zip(*rows, strict=True)]
    turned[0][0] = "model"
    return turned


def reports_as_text(reports: Sequence[Report], decimals: int) -> str:
    """Return the data, the protocol, and a table each for validation and test.

    Args:
        reports: One report per model, all on the same cases.
        decimals: Decimal places.

    Returns:
        Several lines, without a line end at the end.
    """
    parts = [f"{sizes_of(reports[0].dataset)}\n{reports[0].protocol}"]
    for part in evaluated_parts(reports):
        rows = metric_rows(reports, part, decimals)
        if not rows:
            parts.append(f"{part}: no cases")
            continue
        table = aligned(models_in_rows(rows))
        if max(map(len, table.splitlines())) > MAX_WIDTH:
            table = aligned(rows)
        parts.append(f"{part}\n{table}")
    return printable("\n\n".join(parts))


def evaluated_parts(reports: Sequence[Report]) -> tuple[str, ...]:
    """Return the parts to show: validation and test, or none if the data were not split.

    Args:
        reports: One report per model, all on the same cases.
    """
    is_split = any(report.validation or report.test for report in reports)
    return ("validation", "test") if is_split else ()


def short_metrics(values: dict[str, float], decimals: int = 4) -> str:
    """Return metrics in one line.

    Args:
        values: Metric key to value.
        decimals: Decimal places.

    Returns:
        Such as ``ndcg@10 0.0719, mrr@10 0.0485``; ``no cases`` if there are none.
    """
    return ", ".join(f"{key} {value:.{decimals}f}" for key, value in values.items()) or "no cases"
