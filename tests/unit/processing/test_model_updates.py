"""A worker takes up models that were activated while it runs."""

from __future__ import annotations

from dataclasses import replace

from contracts.ledger import touchpoint
from structlog.testing import capture_logs
from test_worker import run
from worker_in_memory import InMemory, slice_of

from pipeline.errors import InvalidInput
from pipeline.ledger.memory import MemoryLedger
from pipeline.scores.churn.score import CHURN_RISK
from pipeline.scores.protocol import ActiveScore
from pipeline.scores.registry import SCORES
from pipeline.scores.satisfaction.score import SATISFACTION
from pipeline.touchpoint import Feedback

OWN = replace(CHURN_RISK.default_model, version="own", horizon_days=30)
STEADIER = replace(SATISFACTION.default_model, version="steadier", prior_weight=5.0)
SLOWER = replace(SATISFACTION.default_model, version="slower", half_life_days=365.0)


def labels(it: InMemory) -> list[str]:
    return [row.model for row in it.ledger.scores["churn_risk"].values()]


def test_scores_are_made_with_the_model_that_was_activated_meanwhile() -> None:
    async def test() -> None:
        it = InMemory(sweeps=True)
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint("a")]))
        assert labels(it) == ["churn cdnow-1"]
        it.ledger.active = [ActiveScore(SATISFACTION, STEADIER), ActiveScore(CHURN_RISK, OWN)]
        await it.worker.tick()
        await it.process(slice_of(0, 1, [touchpoint("b", 1, "2")]))
        assert labels(it) == ["churn cdnow-1", "churn own"]

    run(test)


def test_silence_is_judged_by_the_new_model_too() -> None:
    async def test() -> None:
        it = InMemory(sweeps=True)
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint("a")]))
        strict = replace(OWN, medium_from=0.0, high_from=0.0)
        it.ledger.active = [ActiveScore(SATISFACTION, STEADIER), ActiveScore(CHURN_RISK, strict)]
        await it.worker.tick()
        await it.worker.sweep()
        assert [(row.band, row.model) for row in it.ledger.scores["churn_risk"].values()] == [("high", "churn own")]

    run(test)


def test_a_model_that_makes_what_is_stored_mean_something_else_waits_for_a_rebuild() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        it.ledger.active = [ActiveScore(SATISFACTION, SLOWER), ActiveScore(CHURN_RISK, OWN)]
        with capture_logs() as logs:
            await it.worker.tick()
            await it.worker.tick()
        said = [each for each in logs if each["event"] == "this model needs the tables to be rebuilt"]
        assert [each["model"] for each in said] == ["satisfaction slower"]
        await it.process(slice_of(0, 0, [touchpoint("a", feedback=Feedback("csat", 5.0))]))
        assert labels(it) == ["churn own"]
        assert [row.model for row in it.ledger.scores["satisfaction"].values()] == ["satisfaction 1"]

    run(test)


def test_a_model_that_can_not_be_used_leaves_the_worker_with_what_it_has() -> None:
    class Broken(MemoryLedger):
        async def active_scores(self) -> list[ActiveScore]:
            raise InvalidInput("The table model lacks an active model")

    async def test() -> None:
        it = InMemory(Broken(SCORES))
        await it.take(0)
        with capture_logs() as logs:
            await it.worker.tick()
        assert "the active models can't be used" in [each["event"] for each in logs]
        await it.process(slice_of(0, 0, [touchpoint("a")]))
        assert labels(it) == ["churn cdnow-1"]

    run(test)
