"""Satisfaction as a score: from a customer's answers to a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.contract.schema import schema_file_text
from pipeline.rows import Table
from pipeline.scores.protocol import CustomerChange, NotReversible
from pipeline.scores.reason import Reason
from pipeline.scores.satisfaction.estimate import Answers, add, estimate, remove, usual
from pipeline.scores.satisfaction.model import DEFAULT, SatisfactionModel
from pipeline.scores.satisfaction.row import TABLE, SatisfactionRow
from pipeline.scores.sql import sql_texts
from pipeline.topics import SATISFACTION as TOPIC


class SatisfactionScore:
    """Implements `protocol.Score`; the state is `Answers`."""

    table: Table[SatisfactionRow] = TABLE
    topic = TOPIC
    default_model: SatisfactionModel = DEFAULT

    @property
    def schema_text(self) -> str:
        """Return the Avro schema of satisfaction.v1."""
        return schema_file_text("satisfaction.avsc")

    @property
    def as_of_sql(self) -> tuple[str, str]:
        """Return the SQL of the functions and of the views."""
        return sql_texts("satisfaction")

    def model(self, version: str, source: str, parameters: Mapping[str, float]) -> SatisfactionModel:
        """Return the model of a row of the table `model`."""
        return SatisfactionModel.from_parameters(version, source, parameters)

    def continues(self, before: SatisfactionModel, after: SatisfactionModel) -> bool:
        """Return whether both weigh answers alike."""
        return before.half_life_ms == after.half_life_ms

    def fold(self, state: Answers | None, change: CustomerChange, model: SatisfactionModel) -> Answers | None:
        """Add the answers among the events."""
        for event in change.events:
            if event.answer is not None:
                answer = event.answer
                state = add(state, event.step.at, answer.millipoints, model, answer.about.touchpoint)
        return state

    def unfold(self, state: Answers, change: CustomerChange, model: SatisfactionModel) -> Answers | None:
        """Take out the answers among the events. Raises NotReversible if the last answer goes and others stay."""
        left: Answers | None = state
        for event in change.events:
            if event.answer is not None:
                if left is None:
                    raise ValueError("more answers are taken out than there are")
                answer = event.answer
                left = remove(left, event.step.at, answer.millipoints, model, answer.about.touchpoint)
        if left is not None and any(e.answer is not None and e.step.at == left.last_at for e in change.events):
            raise NotReversible("the state does not tell when the last but one answer was given")
        return left

    def row(self, customer: str, state: Answers, model: SatisfactionModel) -> SatisfactionRow:
        """Return the satisfaction as of the last answer."""
        estimated = estimate(state, state.last_at, model)
        return SatisfactionRow(
            customer=customer,
            score=estimated.score,
            low=estimated.low,
            high=estimated.high,
            answers=estimated.answers_effective,
            answered=state.answered,
            as_of=state.last_at,
            weight=state.weight,
            weighted=state.weighted,
            about=state.about,
            model=model.label,
        )

    def restore(self, row: SatisfactionRow) -> Answers:
        """Return the answers that a row was made from."""
        return Answers(row.answered, row.weight, row.weighted, row.as_of, row.about)

    def explain(self, state: Answers, as_of: int, model: SatisfactionModel) -> Sequence[Reason]:
        """Return how much of the score comes from the customer's own answers, and how much from the prior."""
        effective = estimate(state, as_of, model).answers_effective
        own = effective / (effective + model.prior_weight)
        reasons = [
            (own, Reason("own_answers", f"{own:.0%} from the customer's own answers ({state.answered})")),
            (1 - own, Reason("prior", f"{1 - own:.0%} from what is usual ({usual(state, model):.0f} of 100)")),
        ]
        reasons.sort(reverse=True)
        return [reason for _, reason in reasons]


SATISFACTION = SatisfactionScore()
