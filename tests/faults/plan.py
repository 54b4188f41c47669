"""What is done to the pipeline, in which order: a pure function of the seed and the number of actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random

from pipeline.failpoint import PLACES

#: kind → about how many seconds it takes until processing goes on; only the rate of the feed goes by it
SECONDS = {
    "kill_random": 5, "kill_all": 5, "zombie": 20, "zombie_publishing": 20,
    "zombie_exchanging": 20, "zombie_receiving": 20, "zombie_delivering": 20, "zombie_restating": 25, "scale": 16,
    "rebalance_while_taking": 20, "rolling_restart": 9,
    "broker_crash": 15, "database_restart": 3, "database_crash": 3, "cut_before_commit": 2, "cut_after_commit": 2,
    "cut_anywhere": 2,
    "registry_away": 9, "disk_full": 4, "statement_timeout": 12, "deadlock": 3, "serialization_failure": 4,
    "metrics_port_taken": 7,
} | {f"kill_{place}": 6 for place in PLACES} | {"kill_restating": 10}  # fmt: skip

#: each kind that is no single kill, with the most telling ones twice
EACH = (
    "kill_all", "kill_all", "zombie", "zombie", "zombie_publishing", "zombie_exchanging",
    "zombie_receiving", "zombie_delivering", "zombie_restating", "scale", "rebalance_while_taking",
    "rebalance_while_taking", "rolling_restart", "broker_crash",
    "broker_crash", "database_restart", "database_crash", "cut_before_commit", "cut_before_commit",
    "cut_after_commit", "cut_after_commit", "cut_anywhere", "cut_anywhere", "registry_away", "disk_full",
    "statement_timeout", "deadlock", "serialization_failure", "metrics_port_taken",
)  # fmt: skip

#: what the short version does: of each class some
SHORT = (
    "kill_after_commit", "kill_while_publishing", "kill_forwarding", "kill_exchanging", "kill_receiving",
    "kill_delivering", "kill_restating", "kill_random", "rebalance_while_taking", "zombie", "broker_crash",
    "database_crash", "cut_before_commit", "cut_after_commit", "deadlock", "serialization_failure", "disk_full",
)  # fmt: skip

#: of the kills that fill up a plan, one in so many is at a random moment
_RANDOM_EVERY = 4
DEFAULT_ACTIONS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing done. `victim` and `nth` are numbers that an action turns into what it needs, `moment` is 0 to 1."""

    kind: str
    victim: int
    nth: int
    moment: float


def plan(seed: int, actions: int) -> list[Action]:
    """So many actions: each kind that is no single kill, and for the rest kills at every failpoint in turn.

    With fewer actions than kinds, a choice of them.
    """
    rng = Random(f"plan {seed}")
    others = list(EACH) if actions >= len(EACH) else rng.sample(EACH, actions)
    places = cycle(f"kill_{place}" for place in PLACES)
    kills = [
        "kill_random" if number % _RANDOM_EVERY == _RANDOM_EVERY - 1 else next(places)
        for number in range(actions - len(others))
    ]
    kinds = others + kills
    rng.shuffle(kinds)
    return _with_numbers(kinds, rng)


def short_plan(seed: int) -> list[Action]:
    """The short version's actions."""
    return _with_numbers(SHORT, Random(f"short plan {seed}"))


def kills(actions: Sequence[Action]) -> int:
    """How many workers a plan kills at the least."""
    return sum(2 if action.kind == "kill_all" else action.kind.startswith("kill_") for action in actions)


def seconds(actions: Sequence[Action]) -> float:
    """About how long these take."""
    return float(sum(SECONDS[action.kind] for action in actions))


def _with_numbers(kinds: Sequence[str], rng: Random) -> list[Action]:
    return [Action(kind=kind, victim=rng.randrange(12), nth=rng.randint(1, 4), moment=rng.random()) for kind in kinds]
