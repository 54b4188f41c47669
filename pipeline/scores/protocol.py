"""What a score is. A new one implements `Score` in a folder of its own and is added to `scores.registry`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from pipeline.journey.admitted import Admitted
from pipeline.rows import Table
from pipeline.scores.reason import Reason


class NotReversible(Exception):
    """What is left cannot be known from the state alone: the remaining events have to be folded anew."""


class CustomerChange(NamedTuple):
    """What a batch changed for one customer.

    `events` are new touchpoints in order of time, without duplicates. `visits` is the change in the number of visits
    (journeys with activity of the customer). `last_seen_at` is the time (epoch milliseconds) of the
    customer's last touchpoint, after the change. `scores` has the customer's states, after the change, of scores that
    come earlier in `registry.SCORES`, by its table's name: a score may rest on those.
    """

    events: Sequence[Admitted]
    visits: int
    last_seen_at: int
    scores: Mapping[str, Any] = {}


class Model(Protocol):
    """The versioned parameters of a score; a row of the table `model`, whose `name` is NAME."""

    NAME: ClassVar[str]

    @property
    def version(self) -> str:
        """Return the version; name and version together identify a model."""

    @property
    def label(self) -> str:
        """Return name and version, as rows carry them."""

    @property
    def source(self) -> str:
        """Return where the parameters come from."""

    def parameters(self) -> dict[str, float]:
        """Return the column `parameters`."""


M = TypeVar("M", contravariant=True)
S = TypeVar("S")


class Score(Protocol[M, S]):
    """A score of customers. M is its model, S its state per customer, which is an immutable value.

    All functions are pure. The state is a function of the customer's set of events (and the model's version), in
    whatever order and in whatever batches they are folded.
    """

    @property
    def table(self) -> Table[Any]:
        """Return the declaration of its rows. If it has a topic, the outbox has a column of the table's name."""

    @property
    def topic(self) -> str | None:
        """Return the topic of its rows, whose key is the customer's; None for a score that other ones rest on."""

    @property
    def schema_text(self) -> str | None:
        """Return the Avro schema of the topic's values; None without a topic."""

    @property
    def default_model(self) -> Model:
        """Return the model that the package ships; scores may share one."""

    def model(self, version: str, source: str, parameters: Mapping[str, float]) -> Any:
        """Return the model of a row of the table `model`. Raises KeyError or ValueError for wrong parameters."""

    def continues(self, before: M, after: M) -> bool:
        """Return whether states that were folded with one model are as they should be for another one."""

    @property
    def as_of_sql(self) -> tuple[str, str]:
        """Return SQL that makes the functions and the views by which the score is read as of a moment.

        `pipeline init` runs it each time, after the migrations and `ledger/sql/functions.sql`. The statements can be
        run again; the functions depend on no table.
        """

    def fold(self, state: S | None, change: CustomerChange, model: M) -> S | None:
        """Return the state with a change added; None while there is nothing to score.

        The same object comes back when the change does not concern the score: then no row is written.
        """

    def unfold(self, state: S, change: CustomerChange, model: M) -> S | None:
        """Return the state with a change taken out, exactly as if it had never been folded; None if nothing is left.

        `change.visits` is the (negative) change in the number of visits. Raises NotReversible when the state alone does
        not tell what is left.
        """

    def row(self, customer: str, state: S, model: M) -> Any:
        """Return the row, as of the last event that concerns the score."""

    def restore(self, row: Any) -> S:
        """Return the state from a row."""

    def explain(self, state: S, as_of: int, model: M) -> Sequence[Reason]:
        """Return what the score rests on as of a moment (epoch milliseconds), the weightiest first."""


class ActiveScore(NamedTuple):
    """A score and the model that it is made with."""

    score: Score[Any, Any]
    model: Any

    @property
    def name(self) -> str:
        """Return the name of the score's table."""
        return self.score.table.name
