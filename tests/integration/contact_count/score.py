"""The third score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

from pipeline.rows import INTEGER, MOMENT, TEXT, Table
from pipeline.scores.protocol import CustomerChange
from pipeline.scores.reason import Reason

FOLDER = Path(__file__).parent


class ContactCountRow(NamedTuple):
    customer: Annotated[str, TEXT]
    contacts: Annotated[int, INTEGER]
    as_of: Annotated[int, MOMENT]
    model: Annotated[str, TEXT]


class ContactCountModel(NamedTuple):
    NAME: ClassVar[str] = "contact_count"
    version: str = "1"
    source: str = "a test"

    def parameters(self) -> dict[str, float]:
        return {}


class ContactCountState(NamedTuple):
    contacts: int
    as_of: int


class ContactCountScore:
    table: Table[ContactCountRow] = Table("contact_count", ContactCountRow, key=("customer",))
    topic = "contact-counts.v1"
    default_model = ContactCountModel()

    @property
    def schema_text(self) -> str:
        return (FOLDER / "schema.avsc").read_text()

    @property
    def as_of_sql(self) -> tuple[str, str]:
        return (FOLDER / "as_of.sql").read_text(), ""

    def model(self, version: str, source: str, parameters: Mapping[str, float]) -> ContactCountModel:
        return ContactCountModel(version, source)

    def continues(self, before: ContactCountModel, after: ContactCountModel) -> bool:
        return True

    def fold(
        self, state: ContactCountState | None, change: CustomerChange, model: ContactCountModel
    ) -> ContactCountState | None:
        begun = sum(event.traits.begun_by_customer for event in change.events)
        if not begun:
            return state
        return ContactCountState((state.contacts if state else 0) + begun, change.last_seen_at)

    def unfold(
        self, state: ContactCountState, change: CustomerChange, model: ContactCountModel
    ) -> ContactCountState | None:
        left = state.contacts - sum(event.traits.begun_by_customer for event in change.events)
        return ContactCountState(left, change.last_seen_at) if left else None

    def row(self, customer: str, state: ContactCountState, model: ContactCountModel) -> ContactCountRow:
        return ContactCountRow(customer, state.contacts, state.as_of, f"{model.NAME} {model.version}")

    def restore(self, row: ContactCountRow) -> ContactCountState:
        return ContactCountState(row.contacts, row.as_of)

    def explain(self, state: ContactCountState, as_of: int, model: ContactCountModel) -> Sequence[Reason]:
        return [Reason("contacts", f"{state.contacts} contacts")]


CONTACT_COUNT = ContactCountScore()
