"""What actions act on: kafka, workers, the ways between them, and what the database has noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from faults import history, published
from faults.database import Database, role
from faults.feed import Feed
from faults.history import Change
from faults.proxy import Proxy
from faults.recovery import Fault, by_partition
from faults.supervisor import Exit, Supervisor
from faults.versions import Versions
from faults.waiting import wait_for
from pipeline.connections.kafka import KafkaConnection

if TYPE_CHECKING:
    from pipeline.local.stack import Stack

NAMES = ("faults-worker-1", "faults-worker-2", "faults-worker-3")
#: How many workers run where an action does not say otherwise.
USUAL = 2
RECOVERS_S = 60.0


@dataclass
class Scene:
    """One run's parts. `hurts` and `injected` fill up as actions are done."""

    stack: Stack
    database: Database
    feed: Feed
    versions: Versions
    supervisor: Supervisor
    partitions: int
    folder: Path
    group: str
    proxies: dict[str, Proxy] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict, repr=False)
    faults: list[Fault] = field(default_factory=list)
    injected: Counter[str] = field(default_factory=Counter)
    refused_zombies: int = 0

    def connect_workers(self) -> None:
        """Give each worker a way to the database of its own: by a proxy, and with a role."""
        for name in NAMES:
            self.proxies[name] = Proxy("127.0.0.1", self.stack.postgres.port)
            self.urls[name] = role(self.database, name, self.proxies[name].port)
            self.supervisor.create_topics(name, {"DATABASE_URL": self.urls[name]})

    def pick(self, number: int) -> str:
        """One of the workers that run."""
        names = self.supervisor.names
        return names[number % len(names)]

    def changes(self) -> list[Change]:
        """All that the database has noted up to now."""
        return self.database.changes()

    def owners(self) -> dict[int, tuple[str, int]]:
        """Partition → owner and epoch, by now."""
        return history.owners(self.changes())

    def died(self, exit_: Exit, cause: str) -> None:
        """Note that a worker was killed, and wait until processing goes on."""
        self.injected[cause] += 1
        self.faults.append(Fault(cause=cause, at=exit_.at, killed=frozenset({exit_.worker})))
        self.goes_on(exit_.at, frozenset({exit_.worker}))

    def returned(self, cause: str, at: float) -> None:
        """Note that a server is back since `at`, and wait until processing goes on."""
        self.injected[cause] += 1
        self.faults.append(Fault(cause=cause, at=at))
        self.goes_on(at)

    def goes_on(self, since: float, killed: frozenset[str] = frozenset()) -> None:
        """Wait until every partition has moved on since a moment, those of killed workers under a later epoch."""

        def moved() -> bool:
            partitions = by_partition(self.changes())
            return len(partitions) == self.partitions and all(_moved(own, since, killed) for own in partitions.values())

        wait_for(moved, "every partition is processed again", RECOVERS_S)

    def publishes(self) -> None:
        """Wait until all that is committed by now is published by the workers that run."""
        committed = {change.partition: change.commits for change in self.changes()}
        kafka = KafkaConnection.from_environment(self.stack.env())

        def told() -> bool:
            return not published.behind(committed, published.commits(kafka, self.group, self.partitions))

        wait_for(told, "what is committed is published", RECOVERS_S, 0.2)

    def owned_by(self, *names: str) -> None:
        """Wait until the partitions are shared among exactly these workers."""

        def shared() -> bool:
            owners = self.owners()
            return len(owners) == self.partitions and {owner for owner, _ in owners.values()} == set(names)

        wait_for(shared, f"partitions are shared among {', '.join(names)}", RECOVERS_S)

    def backlog(self) -> int:
        """Records that the broker has and no worker has accounted for, about."""
        return max(0, self.feed.accepted - self.database.accounted())

    def close(self) -> None:
        """End all that this run has started, servers excepted."""
        self.supervisor.close()
        for proxy in self.proxies.values():
            with suppress(Exception):
                proxy.close()


def _moved(own: list[Change], since: float, killed: frozenset[str]) -> bool:
    before = [change for change in own if change.at <= since]
    epoch = before[-1].epoch if before and before[-1].owner in killed else 0
    position = before[-1].next_offset if before else 0
    return any(each.next_offset > position and each.epoch > epoch for each in own[len(before) :])


def settings(env: Mapping[str, str], group: str) -> dict[str, str]:
    """What all workers of a run have in common."""
    return {**env, "PIPELINE_GROUP": group, "PIPELINE_METRICS_ADDRESS": "127.0.0.1:0"}
