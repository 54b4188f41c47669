"""Settings from the environment, secrets from the environment or from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import InvalidInput


def secret(environ: Mapping[str, str], name: str) -> str | None:
    """Return the value of `name`, or the content of the file that `<name>_FILE` names, without its last line end.

    None if neither is set. Raises InvalidInput, which does not quote the value, if both are set or the file can't be
    read.
    """
    value, file = environ.get(name), environ.get(f"{name}_FILE")
    if value and file:
        raise InvalidInput(f"{name} and {name}_FILE are both set; set one of them.")
    if not file:
        return value or None
    try:
        text = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{name}_FILE names {file}, which can't be read ({_why(error)}).") from None
    if not text:
        raise InvalidInput(f"{name}_FILE names {file}, which is empty.")
    return text


def readable_file(environ: Mapping[str, str], name: str) -> Path | None:
    """Return the file that a setting names; None if it is not set. Raises InvalidInput if it can't be read."""
    if not environ.get(name):
        return None
    path = Path(environ[name])
    try:
        path.open("rb").close()
    except OSError as error:
        raise InvalidInput(f"{name} names {path}, which can't be read ({_why(error)}).") from None
    return path


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or type(error).__name__).lower()
