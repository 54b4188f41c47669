"""The audit reads policy and catalogue by itself, and they say to it what they say to the worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import catalogue
from pipeline.audit import reference
from pipeline.errors import InvalidInput
from pipeline.journey import policy
from pipeline.journey.activity import ActivityPolicy
from pipeline.scales import SCALES


def gaps(found: reference.Reference) -> tuple[int, dict[str, int], dict[str, int]]:
    by = {scope: {name: ms for own, name, ms in found.gaps if own == scope} for scope in ("all", "channel", "kind")}
    return by["all"][""], by["channel"], by["kind"]


def activity(found: reference.Reference) -> ActivityPolicy:
    by: dict[str, dict[str, bool]] = {"role": {}, "channel": {}, "kind": {}}
    for scope, name, counts in found.activity:
        by[scope][name] = counts
    return ActivityPolicy(roles=tuple(by["role"]), by_channel=by["channel"], by_kind=by["kind"])


def test_policies_say_the_same_to_both(tmp_path: Path) -> None:
    own = tmp_path / "policy.toml"
    own.write_text(
        'gap = "90s"\ngrace = "5 m"\n[channel.web]\ngap = "250ms"\n[kind.call_ended]\ngap = "2d"\n'
        '[identity]\nnobody = [" N/A ", "test"]\n'
        '[churn.activity]\nroles = ["use"]\n[churn.activity.channel]\nweb = false\n'
        "[churn.activity.kind]\nlogin = true\n"
    )
    for file in (None, own):
        worker, found = policy.read(file), reference.read(file)
        assert gaps(found) == (worker.gap_ms, dict(worker.by_channel), dict(worker.by_kind))
        assert found.grace_ms == worker.grace_ms
        assert found.nobody == worker.identity.nobody
        assert activity(found) == worker.activity


def test_the_catalogue_and_the_scales_say_the_same_to_both() -> None:
    found, worker = reference.read(None), catalogue.load()
    assert {kind: rest for kind, *rest in found.kinds} == {
        name: [kind.stage, kind.initiated_by, kind.role] for name, kind in worker.kinds.items()
    }
    assert dict(found.channels) == {name: channel.initiated_by for name, channel in worker.channels.items()}
    assert {name: limits for name, *limits in reference.SCALES} == {
        name: [scale.worst, scale.best, scale.satisfied, scale.dissatisfied] for name, scale in SCALES.items()
    }


@pytest.mark.parametrize(
    "text",
    ["gap = 5", 'gap = "5 weeks"', "[", "[channel.web]\n", "identity = 1", "[identity]\nnobody = [1]", "churn = 1"],
)
def test_a_policy_that_can_not_be_read_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=r"PIPELINE_POLICY names .*policy\.toml"):
        reference.read(file)
    with pytest.raises(InvalidInput, match="nowhere"):
        reference.read(tmp_path / "nowhere.toml")
