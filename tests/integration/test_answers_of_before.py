"""What answers are about that were counted before the tables said it: the migration finds it again."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from harness import Pipe
from sqlalchemy import Connection, text

import pipeline.ledger
from pipeline.ledger.migrate import script_text
from pipeline.touchpoint import Feedback, Identifier, Touchpoint

SQL = Path(pipeline.ledger.__file__).parent / "migrations" / "0010_satisfaction_about.sql"
T0 = 1_790_000_000_000
DAY = 86_400_000


def answers() -> list[Touchpoint]:
    """Of customers with one to five answers, some by a number that is known to be theirs, about this and that."""
    found = []
    for customer in range(30):
        phone = Identifier("phone", sha256(str(customer).encode()).hexdigest())
        who: dict[str, Any] = {"customer_id": f"c{customer}"}
        found.append(
            Touchpoint(
                f"call-{customer}", "pbx", T0, channel="call_centre", kind="call_answered", identifiers=(phone,), **who
            )
        )
        for number in range(customer % 5 + 1):
            about = ("call_centre/call_ended", "web/purchase", "")[(customer + number) % 3]
            found.append(
                Touchpoint(
                    f"{customer}-{number}", "survey", T0 + number * 37 * DAY // 10 + customer, channel="email",
                    kind="survey_answered", feedback=Feedback("nps", float(customer % 11)),
                    attributes={"about": about} if about else {},
                    **({"identifiers": (phone,)} if number == 1 else who),
                )
            )  # fmt: skip
    return found


def held(connection: Connection) -> list[Any]:
    """What the tables hold that says what answers are about."""
    return [
        list(connection.execute(text(query)))
        for query in (
            "SELECT customer, about::text FROM satisfaction ORDER BY customer",
            "SELECT journey_id, steps::text FROM journey ORDER BY journey_id",
            "SELECT key, keys, steps::text FROM identity_touchpoint ORDER BY key, keys",
        )
    ]


def test_a_database_of_before_says_what_its_answers_are_about(pipe: Pipe) -> None:
    pipe.publish(answers())
    pipe.work()
    without = """
        (SELECT jsonb_agg(step - 'about' ORDER BY n) FROM jsonb_array_elements(steps) WITH ORDINALITY AS s (step, n))
    """
    with pipe.engine.connect() as connection:
        now = held(connection)
        assert any('"about": "web/purchase"' in row.steps for row in now[1])
        assert any('"about": "call_centre/call_ended"' in row.steps for row in now[2])
        connection.execute(text("ALTER TABLE satisfaction DROP COLUMN about"))
        for table in ("journey", "identity_touchpoint"):
            connection.execute(text(f"UPDATE {table} SET steps = {without} WHERE jsonb_array_length(steps) > 0"))
        # What the steps do not tell is not known.
        connection.execute(text("UPDATE satisfaction SET weight = weight + 1 WHERE customer = 'customer:c7'"))
        connection.execute(script_text(SQL.read_text(encoding="utf-8")))
        migrated = held(connection)
        connection.rollback()
    [unknown] = [row.about for row in migrated[0] if row.customer == "customer:c7"]
    assert unknown.startswith('{"": ')
    assert [row for row in migrated[0] if row.customer != "customer:c7"] == [
        row for row in now[0] if row.customer != "customer:c7"
    ]
    assert migrated[1:] == now[1:]
