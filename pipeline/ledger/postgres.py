"""The ledger in Postgres."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.cases.row import CaseRow
from pipeline.flow.identity_needs import AsidePoint, Concerned, Span
from pipeline.flow.identity_rows import AsideRow, NamingRow, OwnerRow, RestatementRow
from pipeline.flow.state import Customer
from pipeline.identity.correction import Correction
from pipeline.journey.journey import Journey
from pipeline.ledger import active_models, cases, customers, identity, outbox, portions, positions, risk_sweep
from pipeline.ledger import commit as committing
from pipeline.ledger.commit import Commit, CommitStatement
from pipeline.ledger.outbox import Unpublished
from pipeline.ledger.positions import Fenced, Position
from pipeline.ledger.session import Session
from pipeline.retry import Retry
from pipeline.scores.churn.model import ChurnModel
from pipeline.scores.churn.row import ChurnRow
from pipeline.scores.protocol import ActiveScore, Score

T = TypeVar("T")


class PostgresLedger:
    """Implements `protocol.Ledger`. A statement is tried again while Postgres is away, until `Retry` gives up."""

    def __init__(
        self, session: Session, retry: Retry, scores: Sequence[Score[Any, Any]], with_identity: bool = True
    ) -> None:
        self._session, self._retry, self._scores, self._with_identity = session, retry, scores, with_identity
        self._statement = CommitStatement(scores)

    async def take_partitions(
        self, topic: str, partitions: Iterable[int], owner: str
    ) -> tuple[list[Position], set[str]]:
        """Take partitions; see `protocol.Ledger`."""
        return await self._ask(lambda c: positions.take_partitions(c, topic, partitions, owner))

    async def set_sole_publisher(self, taken: Sequence[Position]) -> None:
        """Note that earlier owners cannot publish any more."""
        await self._ask(lambda c: positions.set_sole_publisher(c, taken))

    async def current_position(self, position: Position) -> Position:
        """Return a partition's position as it is now. Raises Fenced."""
        return await self._ask(lambda c: positions.current_position(c, position))

    async def active_scores(self) -> list[ActiveScore]:
        """Return the scores with the models that are active now. Raises InvalidInput when one can't be used."""
        return await self._ask(lambda c: active_models.load_active_scores(c, self._scores))

    async def load_customers(self, wanted: Mapping[str, int]) -> dict[str, Customer]:
        """Return customers with their scores, and with their journeys from the given times on."""
        return await self._ask(lambda c: customers.load_customers(c, wanted, self._scores, self._with_identity))

    async def load_windows(self, windows: Sequence[Span]) -> dict[str, list[Journey]]:
        """Return the journeys of customers that meet spans of time."""
        return await self._ask(lambda c: customers.load_windows(c, windows))

    async def load_page(self, customer: str, after: int, limit: int) -> list[Journey]:
        """Return a customer's journeys that start after a moment."""
        return await self._ask(lambda c: customers.load_page(c, customer, after, limit))

    async def load_cases(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], CaseRow]:
        """Return cases by customer and subject, as far as there are any."""
        return await self._ask(lambda c: cases.load_cases(c, wanted))

    async def load_corrections(self, partitions: Iterable[int]) -> dict[int, list[Correction]]:
        """Return, by partition, the corrections that can concern any key."""
        return await self._ask(lambda c: identity.load_corrections(c, partitions))

    async def load_restatements(self, partitions: Iterable[int]) -> dict[int, list[RestatementRow]]:
        """Return, by partition, what is to be restated."""
        return await self._ask(lambda c: identity.load_restatements(c, partitions))

    async def portion_ends(self, rows: Sequence[RestatementRow], touchpoints: int) -> dict[str, int]:
        """Return until when each restatement goes if it ends with so many touchpoints."""
        return await self._ask(lambda c: portions.portion_ends(c, rows, touchpoints))

    async def load_aside(self, points: Sequence[AsidePoint], spans: Sequence[Span]) -> list[AsideRow]:
        """Return touchpoints that journeys don't show."""
        return await self._ask(lambda c: identity.load_aside(c, points, spans))

    async def load_following(self, key: str, after: int, until: int) -> list[AsideRow]:
        """Return the touchpoints after a moment that long journeys leave out."""
        return await self._ask(lambda c: identity.load_following(c, key, after, until))

    async def load_namings(self, keys: Sequence[str]) -> tuple[list[NamingRow], list[OwnerRow]]:
        """Return all namings of keys, and who holds them."""
        return await self._ask(lambda c: identity.load_namings(c, keys))

    async def concerned_keys(self, partition: int, concerned: Concerned) -> list[str]:
        """Return the partition's keys for which events and customers change something."""
        return await self._ask(lambda c: identity.concerned_keys(c, partition, concerned))

    async def due_customers(
        self, watermarks: Mapping[int, int], grace_ms: int, limit: int
    ) -> dict[int, dict[str, int]]:
        """Return customers with open journeys that event time has passed."""
        return await self._ask(lambda c: customers.due_customers(c, watermarks, grace_ms, limit))

    async def count_open_journeys(self, partitions: Iterable[int]) -> int:
        """Return the number of open journeys in partitions."""
        return await self._ask(lambda c: customers.count_open_journeys(c, partitions))

    async def commit(self, commits: Sequence[Commit]) -> list[Position]:
        """Write batches in one transaction. A connection can be lost with the commit under way or already made."""

        async def attempt(connection: AsyncConnection) -> list[Position]:
            try:
                return await self._statement.execute(connection, commits)
            except Fenced:
                return [await positions.position_after(connection, each.position) for each in commits]

        return await self._ask(attempt)

    async def clear_outbox(self, position: Position, published: int) -> None:
        """Delete outbox rows up to commit number `published`."""
        await self._ask(lambda c: committing.clear_outbox(c, position, published))

    async def load_unpublished(self, position: Position, published: int) -> Unpublished | None:
        """Return what was committed after commit number `published`."""
        return await self._ask(lambda c: outbox.load_unpublished(c, position, published, self._scores))

    async def first_unpublished(self, position: Position) -> int | None:
        """Return the number of a partition's first commit in the outbox."""
        return await self._ask(lambda c: outbox.first_unpublished(c, position))

    async def band_changes(
        self, partitions: Sequence[int], now_ms: int, model: ChurnModel, names: Sequence[str]
    ) -> dict[int, list[ChurnRow]]:
        """Return the new churn risk of those customers whose band at `now_ms` is not the stored one."""
        return await self._ask(lambda c: risk_sweep.band_changes(c, partitions, now_ms, model, names))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._session.close()

    async def _ask(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        return await self._retry.run("database", lambda: self._session.run(work))
