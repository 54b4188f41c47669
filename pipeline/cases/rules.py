"""Tells what a touchpoint is to a case: by the catalogue, the types of cases and the policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.cases.types import UNKNOWN, CaseType, CaseTypes
from pipeline.catalogue import Catalogue
from pipeline.journey.admitted import CONCERNS
from pipeline.journey.case_policy import CasePolicy
from pipeline.journey.step import StepType

#: Number of step types that are remembered; when there are more, all are forgotten.
_MEMO = 20_000
_NO_TYPE = CaseType(UNKNOWN, {}, frozenset(), frozenset(), frozenset(), None)


class StepTraits(NamedTuple):
    """Says whether it is a contact, which the customer began and not to answer; whether because something is wrong.

    `is_hand_over` says whether the customer was handed on by it. `makes` is the place among the types of the first that
    it makes; after all of them if it makes none.
    """

    makes: int
    is_contact: bool
    is_concern: bool
    is_hand_over: bool


class CaseRules:
    """Holds what cases go by. It remembers results of pure look-ups only.

    `policy` goes before what `types` say. Raises ValueError if it names a type or a stage that there is not.
    """

    def __init__(self, catalogue: Catalogue, types: CaseTypes, policy: Mapping[str, CasePolicy]) -> None:
        known = {each.name: _with_policy(each, policy.get(each.name, CasePolicy())) for each in types.types}
        if unknown := sorted(set(policy) - set(known)):
            raise ValueError(f"[case] has the unknown type {', '.join(unknown)}; the types are {', '.join(known)}")
        self._types = [*known.values(), _NO_TYPE]
        self._made = {kind: place for place, each in reversed([*enumerate(self._types)]) for kind in each.made_by}
        self._catalogue = catalogue
        self.contact_gap_ms = types.contact_gap_ms
        self._hand_overs = types.hand_overs
        self._traits: dict[StepType, StepTraits] = {}

    def type_of(self, traits: Iterable[StepTraits]) -> CaseType:
        """Return the type of a case with such steps: the first that one of them makes."""
        return self._types[min([each.makes for each in traits])]

    def traits(self, step_type: StepType) -> StepTraits:
        """Return what a step of a type is."""
        return self._traits.get(step_type) or self._resolve(step_type)

    def _resolve(self, step_type: StepType) -> StepTraits:
        if len(self._traits) >= _MEMO:
            self._traits.clear()
        entry = self._catalogue.entry(step_type.channel, step_type.kind)
        begun = (step_type.begun_by or entry.initiated_by) == "customer"
        traits = self._traits[step_type] = StepTraits(
            self._made.get(step_type.kind, len(self._types) - 1),
            begun and entry.role != "answer",
            begun and entry.role in CONCERNS,
            step_type.kind in self._hand_overs,
        )
        return traits


def _with_policy(case_type: CaseType, policy: CasePolicy) -> CaseType:
    closed_by, closes_after_ms = policy
    if closed_by is not None:
        if unknown := sorted(set(closed_by) - set(case_type.stages.values())):
            raise ValueError(f"[case.{case_type.name}] closed_by names the unknown stage {', '.join(unknown)}")
        case_type = case_type._replace(closed_by=frozenset(closed_by))
    return case_type if closes_after_ms is None else case_type._replace(closes_after_ms=closes_after_ms)
