"""What the words of a touchpoint mean: its traits by catalogue and policy, and what its feedback judges."""

from __future__ import annotations

from pipeline.catalogue import Catalogue
from pipeline.contract.validate import check_kind
from pipeline.flow.values import Answer, Traits
from pipeline.journey.policy import Policy
from pipeline.satisfaction.scales import is_satisfied, millipoints
from pipeline.touchpoint import CHANNELS, Feedback

#: More distinct words than this are forgotten and looked up anew; it bounds memory against made-up kinds.
_MEMO = 100_000
#: In place of the traits of a kind that is none.
NO_WORD = Traits("", "", "", catalogued=False, gap_ms=0, begun_by_customer=False, closes_account=False)


class Words:
    """Looks words up, and remembers what it found: answers of pure functions, never what it has seen."""

    def __init__(self, catalogue: Catalogue, policy: Policy) -> None:
        self._catalogue, self._policy = catalogue, policy
        self._traits: dict[tuple[str, str, str | None], Traits] = {}
        self._unchecked: dict[tuple[str | None, bytes, str | None], Traits] = {}

    def traits(self, channel: str, kind: str, stage: str | None) -> Traits:
        """The traits of a checked touchpoint."""
        return self._traits.get((channel, kind, stage)) or self._learn(channel, kind, stage)

    def unchecked(self, words: tuple[str | None, bytes, str | None]) -> Traits:
        """The traits of channel, kind (ASCII, not yet checked) and stage; `NO_WORD` if the kind is no word."""
        return self._unchecked.get(words) or self._check(*words)

    def answer(self, feedback: Feedback, judged: str, own: Traits) -> Answer:
        """What feedback comes to; `judged` is the attribute that says of which touchpoint, if it is not its own."""
        channel, slash, kind = judged.partition("/")
        about = own
        if slash and channel in CHANNELS:
            known = self._traits.get((channel, kind, None))
            if known is not None or check_kind(kind) is None:
                about = known or self._learn(channel, kind, None)
        return Answer(
            millipoints(feedback.instrument, feedback.score),
            is_satisfied(feedback.instrument, feedback.score),
            about,
        )

    def _learn(self, channel: str, kind: str, stage: str | None) -> Traits:
        entry = self._catalogue.entry(channel, kind)
        if len(self._traits) >= _MEMO:
            self._traits.clear()
        traits = self._traits[channel, kind, stage] = Traits(
            channel=channel,
            kind=kind,
            stage=stage or entry.stage or "unknown",
            catalogued=entry.catalogued,
            gap_ms=self._policy.gap(channel, kind),
            begun_by_customer=entry.initiated_by == "customer",
            closes_account=kind == "account_closed",
        )
        return traits

    def _check(self, channel: str | None, kind: bytes, stage: str | None) -> Traits:
        word = kind.decode("ascii")
        if channel is None or check_kind(word) is not None:
            return NO_WORD
        if len(self._unchecked) >= _MEMO:
            self._unchecked.clear()
        found = self._unchecked[channel, kind, stage] = self.traits(channel, word, stage)
        return found
