"""What a worker asks of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from pipeline.cases.row import CaseRow
from pipeline.flow.identity_needs import AsidePoint, Concerned, Span
from pipeline.flow.identity_rows import AsideRow, NamingRow, OwnerRow, RestatementRow
from pipeline.flow.state import Customer
from pipeline.identity.correction import Correction
from pipeline.journey.journey import Journey
from pipeline.ledger.commit import Commit
from pipeline.ledger.outbox import Unpublished
from pipeline.ledger.positions import Position
from pipeline.scores.churn.model import ChurnModel
from pipeline.scores.churn.row import ChurnRow
from pipeline.scores.protocol import ActiveScore


class Ledger(Protocol):
    """Holds all results and positions, and lets them change together or not at all.

    `postgres.PostgresLedger` is the real one; `memory.MemoryLedger` keeps the same contract in memory, for tests. Times
    are epoch milliseconds.
    """

    async def take_partitions(
        self, topic: str, partitions: Iterable[int], owner: str
    ) -> tuple[list[Position], set[str]]:
        """Take partitions: from now on, no commit of an earlier owner gets in.

        Also returns the other owners that may still be publishing what they committed; see `set_sole_publisher`.
        """

    async def set_sole_publisher(self, positions: Sequence[Position]) -> None:
        """Note that earlier owners of these partitions cannot publish any more."""

    async def current_position(self, position: Position) -> Position:
        """Return a partition's position as it is now. Raises Fenced when another worker has taken the partition."""

    async def active_scores(self) -> list[ActiveScore]:
        """Return the scores with the models that are active now. Raises InvalidInput when one can't be used."""

    async def load_customers(self, wanted: Mapping[str, int]) -> dict[str, Customer]:
        """Return customers with their scores, and with their journeys from the given times on; at `END`, the latest."""

    async def load_windows(self, windows: Sequence[Span]) -> dict[str, list[Journey]]:
        """Return the journeys of customers that meet spans of time."""

    async def load_page(self, customer: str, after: int, limit: int) -> list[Journey]:
        """Return a customer's journeys that start after a moment, in order of time, up to `limit`."""

    async def load_cases(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], CaseRow]:
        """Return cases by customer and subject, as far as there are any."""

    async def load_corrections(self, partitions: Iterable[int]) -> dict[int, list[Correction]]:
        """Return, by partition, the corrections that can concern any key."""

    async def load_restatements(self, partitions: Iterable[int]) -> dict[int, list[RestatementRow]]:
        """Return, by partition, what is to be restated."""

    async def portion_ends(self, rows: Sequence[RestatementRow], touchpoints: int) -> dict[str, int]:
        """Return until when each restatement goes if it ends with so many touchpoints, or with their journey."""

    async def load_aside(self, points: Sequence[AsidePoint], spans: Sequence[Span]) -> list[AsideRow]:
        """Return the touchpoints that journeys don't show, of certain touchpoints and of spans of time."""

    async def load_following(self, key: str, after: int, until: int) -> list[AsideRow]:
        """Return the touchpoints after a moment that long journeys leave out: up to another moment, and some more.

        Those after `until` are the next ones, more than a journey shows.
        """

    async def load_namings(self, keys: Sequence[str]) -> tuple[list[NamingRow], list[OwnerRow]]:
        """Return all namings of keys, and who holds them as the table says."""

    async def concerned_keys(self, partition: int, concerned: Concerned) -> list[str]:
        """Return the partition's keys that these events have named or corrected, or that customers were named with."""

    async def due_customers(
        self, watermarks: Mapping[int, int], grace_ms: int, limit: int
    ) -> dict[int, dict[str, int]]:
        """Return customers with open journeys that event time has passed: partition → customer → start of the earliest.

        `watermarks` are the partitions' event times. At most `limit` journeys are read.
        """

    async def count_open_journeys(self, partitions: Iterable[int]) -> int:
        """Return the number of open journeys in partitions."""

    async def commit(self, commits: Sequence[Commit]) -> list[Position]:
        """Write batches of different partitions of a topic in one transaction; return the positions after them.

        A commit that was made, and whose answer was lost, is not made again. Raises Fenced when another worker has
        taken one of the partitions; nothing is written then.
        """

    async def clear_outbox(self, position: Position, published: int) -> None:
        """Delete the outbox rows of a partition's commits up to number `published`."""

    async def load_unpublished(self, position: Position, published: int) -> Unpublished | None:
        """Return what was committed of a partition after commit number `published`; None if there is nothing.

        Of many commits it returns the first; what is left is after the `commit` of what it returns.
        """

    async def first_unpublished(self, position: Position) -> int | None:
        """Return the number of a partition's first commit in the outbox; None if it has none."""

    async def band_changes(
        self, partitions: Sequence[int], now_ms: int, model: ChurnModel, customers: Sequence[str]
    ) -> dict[int, list[ChurnRow]]:
        """Return, by partition, the new churn risk of those customers whose band at `now_ms` is not the stored one."""

    async def close(self) -> None:
        """Let go of the connections."""
