"""Stores what a fit has found, and says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from sqlalchemy import Connection

from pipeline.queries import models


def refuse_dry_activation(dry_run: bool, activate: bool) -> None:
    """Raise a UsageError where nothing is stored that could be activated."""
    if dry_run and activate:
        raise click.UsageError("--dry-run stores nothing that could be activated.")


def store(
    connection: Connection | None,
    name: str,
    version: str,
    source: str,
    parameters: Mapping[str, Any],
    report: Mapping[str, Any],
    *,
    dry_run: bool,
    activate: bool,
) -> str:
    """Store a version, and make it the active one if it is to be; return what came of it as a sentence.

    A dry run, or one without a connection, stores nothing.
    """
    if connection is None or dry_run:
        return "Nothing was stored."
    connection.rollback()
    models.save(connection, name, version, source, parameters, report)
    if activate:
        models.activate(connection, name, version)
    connection.commit()
    state = "active" if activate else f"not active; see `pipeline models activate {name} {version}`"
    return f"Stored as {name} {version}, {state}."
