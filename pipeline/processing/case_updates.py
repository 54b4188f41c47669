"""Bringing cases up to date: those that batches change are loaded, and get their next revisions."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.cases.case import CaseChange, changed_case, must_be_listed, with_steps
from pipeline.cases.row import CaseRow
from pipeline.cases.rules import CaseRules
from pipeline.flow.values import Batch
from pipeline.journey.step import Step
from pipeline.ledger.protocol import Ledger
from pipeline.processing.journey_pages import journey_pages


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
        async for journeys, omitted in journey_pages(self._ledger, customer):
            there = [*[step for journey in journeys for step in journey.steps], *[row.step for row in omitted]]
            steps += [step for step in there if step.subject == subject]
        return steps
