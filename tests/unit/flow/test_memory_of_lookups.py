"""Look-ups remember a bounded number of results, and forgetting them changes nothing."""

from __future__ import annotations

import pytest
from memory import POLICY

from pipeline import catalogue
from pipeline.contract.partition import partition_of
from pipeline.flow import partitioner, traits
from pipeline.flow.partitioner import Partitioner
from pipeline.flow.traits import TraitsResolver


def test_partitions_are_the_same_after_keys_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioner, "_MEMO", 3)
    known = Partitioner(7)
    keys = [f"customer:{n}".encode() for n in range(1, 11)]
    for _ in range(2):
        assert [known.partition(key) for key in keys] == [partition_of(key, 7) for key in keys]
        assert len(known._known) <= 3


def test_traits_are_the_same_after_they_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traits, "_MEMO", 3)
    resolver = TraitsResolver(catalogue.load(), POLICY)
    kinds = [f"made_up_{n}" for n in range(10)]
    first = [resolver.unchecked_traits(("web", kind.encode(), None, None)) for kind in kinds]
    again = [resolver.traits("web", kind, None) for kind in kinds]
    assert first == again
    assert [each.kind for each in again] == kinds
    assert max(len(resolver._traits), len(resolver._unchecked)) <= 3
