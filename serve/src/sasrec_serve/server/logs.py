"""Logs: one JSON object a line, on standard error, with everything unprintable escaped."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

LOGGER = "sasrec_serve"
FIELDS = "fields"
"""Attribute of a log record with more values, such as the status of a request."""


class JsonLines(logging.Formatter):
    """Writes log records as JSON; other characters than ASCII letters are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line.

        Args:
            record: The record.

        Returns:
            A JSON object in ASCII without line breaks.
        """
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "process": record.process,
        }
        entry.update(getattr(record, FIELDS, {}))
        if record.exc_info:
            entry["error"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(entry, ensure_ascii=True, default=str).replace("\x7f", "\\u007f")


def log_to_stderr(level: str) -> None:
    """Send the logs of this package, of uvicorn and of asyncio to standard error.

    Args:
        level: The lowest level that is written: debug, info, warning or error.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    number = getattr(logging, level.upper())
    logging.captureWarnings(capture=True)  # Python's own would not be JSON
    others = ("uvicorn", "asyncio", "py.warnings")
    for name, least in ((LOGGER, number), *((name, logging.ERROR) for name in others)):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(max(number, least))
        logger.propagate = False


def log(level: int, message: str, **values: Any) -> None:
    """Write a line to the log.

    Args:
        level: A level of ``logging``.
        message: A constant text.
        values: Fields of the line.
    """
    logging.getLogger(LOGGER).log(level, message, extra={FIELDS: values})
