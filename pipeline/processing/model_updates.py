"""Model updates: a worker takes up the models that are active now, without a restart."""

from __future__ import annotations

import time

import structlog

from pipeline.errors import InvalidInput
from pipeline.ledger.protocol import Ledger
from pipeline.processing.committer import Committer
from pipeline.processing.risk_sweep import RiskSweep
from pipeline.scores.churn.model import ChurnModel
from pipeline.scores.protocol import ActiveScore

log = structlog.get_logger(__name__)


class ModelUpdates:
    """Looks every `interval_s` seconds which models are active; all scores are made with them from the next commit on.

    A model by which what is stored of customers means something else is not taken up: the tables have to be rebuilt.
    """

    def __init__(
        self, *, ledger: Ledger, committer: Committer, risk_sweep: RiskSweep | None, interval_s: float
    ) -> None:
        self._ledger, self._committer, self._risk_sweep = ledger, committer, risk_sweep
        self._interval_s = interval_s
        self._next_at = time.monotonic() + interval_s
        self._refused: set[str] = set()

    async def take_up(self) -> None:
        """Take up what is active now, if it is time to look. Nothing may be under way."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + self._interval_s
        try:
            active = {each.name: each for each in await self._ledger.active_scores()}
        except InvalidInput as error:
            log.error("the active models can't be used", error=str(error))
            return
        self._use([self._chosen(before, active.get(before.name, before)) for before in self._committer.scores])

    def _chosen(self, before: ActiveScore, now: ActiveScore) -> ActiveScore:
        if now.model == before.model:
            return before
        if not before.score.continues(before.model, now.model):
            if now.model.label not in self._refused:
                self._refused.add(now.model.label)
                log.error("this model needs the tables to be rebuilt", model=now.model.label, used=before.model.label)
            return before
        log.info("model taken up", model=now.model.label, before=before.model.label)
        return now

    def _use(self, scores: list[ActiveScore]) -> None:
        self._committer.scores = scores
        for each in scores:
            if self._risk_sweep is not None and isinstance(each.model, ChurnModel):
                self._risk_sweep.model = each.model
