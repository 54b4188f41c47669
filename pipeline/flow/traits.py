"""What a touchpoint's channel, kind and stage mean, by the catalogue and the policy."""

from __future__ import annotations

from typing import TypeAlias

from pipeline.catalogue import Catalogue
from pipeline.contract.validate import check_kind
from pipeline.journey.admitted import CONCERNS, Answer, Said, Traits
from pipeline.journey.policy import Policy
from pipeline.scales import is_satisfied, millipoints
from pipeline.touchpoint import CHANNELS, CORRECTION_KINDS, Feedback

#: Channel, kind, stage and begun_by, as a record has them.
_Words: TypeAlias = tuple[str | None, bytes, str | None, str | None]
#: Number of traits that are remembered, so that made-up kinds cannot fill the memory; then all are forgotten.
_MEMO = 100_000
#: Stands for the traits of a kind that is not valid, or a correction's.
NO_TRAITS = Traits(
    channel="", kind="", stage="", catalogued=False, gap_ms=0, begun_by_customer=False, is_activity=False
)


class TraitsResolver:
    """Resolves channel, kind and stage to traits, and remembers the results of these pure look-ups."""

    def __init__(self, catalogue: Catalogue, policy: Policy) -> None:
        self._catalogue, self._policy = catalogue, policy
        self._traits: dict[tuple[str, str, str | None, str | None], Traits] = {}
        self._unchecked: dict[_Words, Traits] = {}

    def traits(self, channel: str, kind: str, stage: str | None, begun_by: str | None = None) -> Traits:
        """Return the traits of a validated touchpoint. `begun_by` is what the event says, before the catalogue."""
        return self._traits.get((channel, kind, stage, begun_by)) or self._resolve(channel, kind, stage, begun_by)

    def unchecked_traits(self, words: _Words) -> Traits:
        """Return the traits of channel, kind (ASCII, not yet validated), stage and begun_by; `NO_TRAITS` for a kind
        that is invalid, or a correction's.
        """
        return self._unchecked.get(words) or self._validate(*words)

    def trust(self, traits: Traits, source: str) -> str:
        """Return the trust in two keys that an event of a source names; `traits` are those of the event."""
        identity = self._policy.identity
        if source not in identity.trust_by_source:
            return traits.trust
        return identity.trust(traits.kind, traits.channel, source, traits.trust)

    def answer(self, feedback: Feedback, about: str, own: Traits, subject: str | None) -> Answer:
        """Return feedback on the common scale. `subject` is the event's.

        `about` is the attribute that names another touchpoint, as CHANNEL/KIND; `own` are the traits of the touchpoint
        that carries the feedback, which it is about otherwise.
        """
        channel, slash, kind = about.partition("/")
        judged = own
        if slash and channel in CHANNELS:
            known = self._traits.get((channel, kind, None, None))
            if known is not None or check_kind(kind) is None:
                judged = known or self._resolve(channel, kind, None, None)
        return Answer(
            millipoints(feedback.instrument, feedback.score),
            is_satisfied(feedback.instrument, feedback.score),
            judged,
            Said(*feedback, subject),
        )

    def _resolve(self, channel: str, kind: str, stage: str | None, begun_by: str | None) -> Traits:
        entry = self._catalogue.entry(channel, kind)
        if len(self._traits) >= _MEMO:
            self._traits.clear()
        begun_by_customer = (begun_by or entry.initiated_by) == "customer"
        traits = self._traits[channel, kind, stage, begun_by] = Traits(
            channel=channel,
            kind=kind,
            stage=stage or entry.stage or "unknown",
            catalogued=entry.catalogued,
            gap_ms=self._policy.gap(channel, kind),
            begun_by_customer=begun_by_customer,
            is_activity=begun_by_customer and self._policy.activity.counts(entry.role, channel, kind),
            trust=self._policy.identity.trust(kind, channel, "", entry.identity),
            said_by_event=begun_by,
            concern=entry.role if begun_by_customer and entry.role in CONCERNS else None,
        )
        return traits

    def _validate(self, channel: str | None, kind: bytes, stage: str | None, begun_by: str | None) -> Traits:
        text = kind.decode("ascii")
        if channel is None or text in CORRECTION_KINDS or check_kind(text) is not None:
            return NO_TRAITS
        if len(self._unchecked) >= _MEMO:
            self._unchecked.clear()
        traits = self._unchecked[channel, kind, stage, begun_by] = self.traits(channel, text, stage, begun_by)
        return traits
