"""Evidence as a score that is not published: churn risk rests on it, also on what came before the first visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.rows import Table
from pipeline.scores.churn.model import DEFAULT, ChurnModel
from pipeline.scores.decay import decayed
from pipeline.scores.evidence.row import TABLE, EvidenceRow
from pipeline.scores.evidence.sums import NO_EVIDENCE, Evidence, evidence_of, taken_out
from pipeline.scores.protocol import CustomerChange
from pipeline.scores.reason import Reason
from pipeline.scores.sql import sql_texts


class EvidenceScore:
    """Implements `protocol.Score`; the state is `Evidence`, and the model is that of the churn risk."""

    table: Table[EvidenceRow] = TABLE
    topic = None
    schema_text = None
    default_model: ChurnModel = DEFAULT

    @property
    def as_of_sql(self) -> tuple[str, str]:
        """Return the SQL of the functions and of the views."""
        return sql_texts("evidence")

    def model(self, version: str, source: str, parameters: Mapping[str, float]) -> ChurnModel:
        """Return the model of a row of the table `model`."""
        return ChurnModel.from_parameters(version, source, parameters)

    def continues(self, before: ChurnModel, after: ChurnModel) -> bool:
        """Return whether both weigh evidence alike."""
        return before.half_life_ms == after.half_life_ms

    def fold(self, state: Evidence | None, change: CustomerChange, model: ChurnModel) -> Evidence | None:
        """Add the evidence of the events."""
        more = evidence_of(change.events, model.half_life_ms, NO_EVIDENCE if state is None else state)
        return state if more is None else more

    def unfold(self, state: Evidence, change: CustomerChange, model: ChurnModel) -> Evidence | None:
        """Take out the evidence of the events."""
        some = evidence_of(change.events, model.half_life_ms)
        left = state if some is None else taken_out(state, some)
        return None if left == NO_EVIDENCE else left

    def row(self, customer: str, state: Evidence, model: ChurnModel) -> EvidenceRow:
        """Return the row; it is the same as of any moment."""
        return EvidenceRow(customer, state.numbers(), model.label)

    def restore(self, row: EvidenceRow) -> Evidence:
        """Return the sums that a row was made from."""
        return Evidence.of(row.evidence)

    def explain(self, state: Evidence, as_of: int, model: ChurnModel) -> Sequence[Reason]:
        """Return how much of each kind of evidence there is as of a moment, the most first; points are no amount."""
        amounts = [
            (decayed(value, as_of, model.half_life_ms), name) for name, value in state._asdict().items() if value
        ]
        amounts.sort(reverse=True)
        return [
            Reason(name, f"{amount:.1f} {name.replace('_', ' ')} lately")
            for amount, name in amounts
            if name != "points"
        ]


EVIDENCE = EvidenceScore()
