"""All exceptions of this package that users can get.

    ServeError             base class; the command prints the error and exits with code 2
    ├── SettingsError      an unknown option or rule, a value out of range
    ├── DataError          a history, an item, a table or a store that cannot be used
    │   └── StoreUnavailable       a store that fails now, whatever it is asked
    └── ExportError        a folder that is not an export, is damaged, or fails its own check

An error text says what is wrong, where (file, key, value in quotes), and how to fix it.
"""


class ServeError(Exception):
    """The base class of all errors that the user can fix."""


class SettingsError(ServeError):
    """An option or a rule is unknown, malformed or out of range."""


class DataError(ServeError):
    """A history, an item, a table or a store cannot be used as requested."""


class ExportError(ServeError):
    """A folder is not an export, is damaged, or fails its own check."""


class StoreUnavailable(DataError):  # noqa: N818 - not the caller's mistake
    """A store fails: no answer from its server, a lock held for too long, a full disk, damage."""
