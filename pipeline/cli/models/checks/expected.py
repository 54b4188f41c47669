"""Checks whether the active model of expected satisfaction still holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection

from pipeline.cli.fit.answered_contacts import contacts_between
from pipeline.cli.fit.expected_learning import calibration_record, foretold_by
from pipeline.cli.fit.satisfaction_learning import moment_text
from pipeline.cli.models.checks.answered import DAY_S, compared, in_days, require_enough, since
from pipeline.cli.models.checks.verdict import NotCheckable, drift_since
from pipeline.fitting.drift import inputs_of_contacts
from pipeline.queries.contacts import begun_by_customer
from pipeline.queries.feedback import last_answer
from pipeline.queries.models import StoredModel
from pipeline.scores.satisfaction.contacts import Usual
from pipeline.scores.satisfaction.expected import ExpectedModel

_COMMAND = "pipeline fit satisfaction --expected"


def check_expected(connection: Connection, active: StoredModel, until: datetime | None, seed: int) -> dict[str, Any]:
    """Return how the active version foretells the contacts that were answered after it was fitted.

    Raises NotCheckable where these are too few, or the version does not tell what touchpoints usually get.
    """
    fit = active.fit
    if fit is None or "usual_means" not in fit:
        raise NotCheckable(f"It does not tell what touchpoints usually got; fit it anew ({_COMMAND}).")
    last = until or last_answer(connection)
    if last is None:
        raise NotCheckable("The tables hold no answers yet.")
    end = in_days(last)
    after = since(fit, end)
    model = ExpectedModel.from_parameters(active.version, active.parameters)
    usual_then = Usual(model.usual_waits, begun_by_customer)
    contacts, names = contacts_between(connection, usual_then, datetime.fromtimestamp(after * DAY_S, UTC), until)
    contacts = contacts.where(contacts.days > after)
    require_enough(len(contacts.days), "Answered contacts", after)
    levels, predicted = foretold_by(model, contacts, names)
    means = np.array([fit["usual_means"].get(name, fit["usual_mean"]) for name in names])
    usual = means[contacts.about]
    drift = drift_since(fit, inputs_of_contacts(levels, contacts))
    then = {name: fit[name] for name in ("calibration", "usual_calibration")}
    found = compared(predicted, usual, contacts.scores, contacts.customers, fit, drift, _COMMAND, seed)
    return {
        "until": moment_text(end),
        "since": moment_text(after),
        **found,
        "then": found["then"] | then,
        "calibration": calibration_record(predicted, contacts.scores),
        "usual_calibration": calibration_record(usual, contacts.scores),
    }
