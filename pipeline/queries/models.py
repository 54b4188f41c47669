"""The table `model`: versions of models, how each was fitted and validated, and which is active."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, text

from pipeline.errors import InvalidInput
from pipeline.scores.registry import SCORES


class Loss(NamedTuple):
    """A figure of a validation; `to_beat` is that of the version that was active then, on the same customers."""

    name: str
    value: float
    to_beat: float | None


_LOSSES = {"brier": "Brier", "error": "mean error"}


class StoredModel(NamedTuple):
    """A version of a model. `fit` says how it was fitted and validated; None for one that came with the pipeline."""

    name: str
    version: str
    active: bool
    fitted_at: datetime
    source: str
    parameters: Mapping[str, Any]
    fit: Mapping[str, Any] | None

    @property
    def loss(self) -> Loss | None:
        """Return how wrong it was in its validation, less being better; None for one that was not fitted."""
        if self.fit is None:
            return None
        figure = "brier" if "forms" in self.fit else "error"
        own = self.fit["forms"][self.fit["best"]]["validation"] if "forms" in self.fit else self.fit["validation"]
        active = self.fit["active"]
        to_beat = None if active is None else float(active["validation"][figure]["value"])
        return Loss(_LOSSES[figure], float(own[figure]["value"]), to_beat)


_COLUMNS = "name, version, active, fitted_at, source, parameters, fit"
_LIST = text(f"SELECT {_COLUMNS} FROM model ORDER BY name, fitted_at, version")
_ONE = text(f"SELECT {_COLUMNS} FROM model WHERE name = :name AND version = :version")
_ACTIVE = text(f"SELECT {_COLUMNS} FROM model WHERE name = :name AND active")
_SAVE = text("""
    INSERT INTO model (name, version, parameters, source, fitted_at, active, fit)
    VALUES (:name, :version, CAST(:parameters AS jsonb), :source, now(), false, CAST(:fit AS jsonb))
    ON CONFLICT DO NOTHING
    RETURNING version
""")
_LOCK = text("LOCK TABLE model IN SHARE ROW EXCLUSIVE MODE")
_DEACTIVATE = text("UPDATE model SET active = false WHERE name = :name AND active AND version <> :version")
_ACTIVATE = text("UPDATE model SET active = true WHERE name = :name AND version = :version")


def models(connection: Connection) -> list[StoredModel]:
    """Return all versions of all models, the oldest of each first."""
    return [StoredModel(*row) for row in connection.execute(_LIST)]


def model(connection: Connection, name: str, version: str) -> StoredModel:
    """Return a version. Raises InvalidInput, which names those that there are, if there is none."""
    row = connection.execute(_ONE, {"name": name, "version": version}).one_or_none()
    if row is None:
        there = [f"{each.name} {each.version}" for each in models(connection)]
        raise InvalidInput(f"There is no model {name} {version}. There are: {', '.join(there)}.")
    return StoredModel(*row)


def active_model(connection: Connection, name: str) -> StoredModel | None:
    """Return the version that scores are made with."""
    row = connection.execute(_ACTIVE, {"name": name}).one_or_none()
    return None if row is None else StoredModel(*row)


def save(
    connection: Connection, name: str, version: str, source: str, parameters: Mapping[str, Any], fit: Mapping[str, Any]
) -> None:
    """Store a version, which is not active. Raises InvalidInput if there is one of that name."""
    values = {"name": name, "version": version, "source": source}
    values |= {"parameters": orjson.dumps(parameters).decode(), "fit": orjson.dumps(fit).decode()}
    if connection.execute(_SAVE, values).one_or_none() is None:
        raise InvalidInput(f"There is a model {name} {version} already. Name another version with --version.")


def activate(connection: Connection, name: str, version: str, *, even_if_worse: bool = False) -> None:
    """Let scores be made with a version from now on.

    Raises InvalidInput if there is none; if by it what the tables hold would mean something else; and if it validated
    worse than the version that was active when it was fitted, unless `even_if_worse`.
    """
    connection.execute(_LOCK)
    wanted = model(connection, name, version)
    loss = wanted.loss
    if not even_if_worse and loss is not None and loss.to_beat is not None and loss.value > loss.to_beat:
        raise InvalidInput(
            f"{name} {version} validated worse than the version that was active then: {loss.name} {loss.value:.4f} "
            f"against {loss.to_beat:.4f}. `pipeline models activate --worse` activates a stored version all the same."
        )
    _require_continuing(connection, wanted)
    connection.execute(_DEACTIVATE, {"name": name, "version": version})
    connection.execute(_ACTIVATE, {"name": name, "version": version})


def _require_continuing(connection: Connection, wanted: StoredModel) -> None:
    """Raise InvalidInput if the tables hold states of a score that were made with a model which this one can't follow.

    A worker that starts takes the active model as it is.
    """
    for score in [each for each in SCORES if wanted.name == each.default_model.NAME]:
        made_by = connection.execute(text(f"SELECT model FROM {score.table.name} LIMIT 1")).scalar_one_or_none()
        before = next((each for each in models(connection) if f"{each.name} {each.version}" == made_by), None)
        if before is None:
            continue
        earlier, later = [score.model(each.version, each.source, each.parameters) for each in (before, wanted)]
        if not score.continues(earlier, later):
            raise InvalidInput(
                f"The tables were made with {made_by}, and by {wanted.name} {wanted.version} what they hold would mean "
                "something else. Stop all workers, empty the tables (pipeline rebuild), activate it, and start them."
            )
