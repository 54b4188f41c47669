"""Bringing cases up to date: those that batches change are loaded, and get their next revisions."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.cases.case import CaseChange, changed_case, must_be_listed, with_steps
from pipeline.cases.row import CaseRow
from pipeline.cases.rules import CaseRules
from pipeline.flow.identity_needs import Span
from pipeline.flow.identity_rows import OMITTED
from pipeline.flow.values import Batch
from pipeline.identity.segments import BEGINNING
from pipeline.journey.step import Step
from pipeline.ledger.protocol import Ledger

#: Number of a customer's journeys that are in memory at once while a case's touchpoints are looked for.
_PAGE = 500


class CaseUpdates:
    """Puts the rows of cases into batches. Cases are kept nowhere but in the ledger, which is ahead of no batch."""

    def __init__(self, ledger: Ledger, rules: CaseRules) -> None:
        self._ledger, self._rules = ledger, rules

    async def with_cases(self, batches: Sequence[Batch]) -> list[Batch]:
        """Return batches of different partitions, none of which is committed, with the cases that they change."""
        changes = [change for batch in batches for change in batch.case_changes]
        if not changes:
            return list(batches)
        known = await self._ledger.load_cases([(each.customer, each.subject) for each in changes])
        return [
            batch._replace(cases=await self._revised(batch.case_changes, known)) if batch.case_changes else batch
            for batch in batches
        ]

    async def _revised(self, changes: Sequence[CaseChange], known: dict[tuple[str, str], CaseRow]) -> Sequence[CaseRow]:
        rows = []
        for change in changes:
            before = known.get((change.customer, change.subject))
            if before is not None and must_be_listed(before, change):
                before = with_steps(before, await self._steps(change.customer, change.subject))
            row = changed_case(before, change, self._rules)
            if row is not None:
                rows.append(row)
        return rows

    async def _steps(self, customer: str, subject: str) -> list[Step]:
        """Return all touchpoints of a case, from the customer's journeys as they are in the ledger."""
        steps: list[Step] = []
        after = BEGINNING
        while journeys := await self._ledger.load_page(customer, after, _PAGE):
            steps += [step for journey in journeys for step in journey.steps]
            spans = [Span(customer, each.started_at, each.ended_at) for each in journeys if each.omitted]
            if spans:
                omitted = await self._ledger.load_aside([], spans)
                steps += [row.step for row in omitted if row.place == OMITTED]
            steps = [step for step in steps if step.subject == subject]
            after = journeys[-1].started_at
        return steps
