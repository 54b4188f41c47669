"""Whether it can be known whose a simulated touchpoint is, from all that the events name."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.catalogue import Catalogue
from pipeline.identity.naming import NONE, VERIFIED
from pipeline.identity.policy import IdentityPolicy
from pipeline.simulate.population import Simulated
from pipeline.simulate.story import MINUTE
from pipeline.touchpoint import ANONYMOUS, CUSTOMER, CUSTOMER_MERGED, IDENTITY_ENDED, MERGED_CUSTOMER, named_keys, rank

#: Why it can't be known whose a touchpoint is; docs/simulation.md explains each.
SHARED_TABLET, FAMILY_PHONE, FAMILY_COMPUTER = "shared_tablet", "family_phone", "family_computer"
RECYCLED_NUMBER, NOT_YET_TRUSTED = "recycled_number", "not_yet_trusted"
LOOKBACK_PASSED, HOLD_PASSED = "lookback_passed", "hold_passed"
NEVER_SIGNED_IN, ADDRESS_NEVER_NAMED, CALLER_NEVER_NAMED = (
    "never_signed_in",
    "address_never_named",
    "caller_never_named",
)
ACCOUNTS_NOT_MERGED, NEVER_NAMED_TOGETHER = "accounts_not_merged", "never_named_together"
WHYS = (
    SHARED_TABLET, FAMILY_PHONE, FAMILY_COMPUTER, RECYCLED_NUMBER, NOT_YET_TRUSTED, LOOKBACK_PASSED, HOLD_PASSED,
    NEVER_SIGNED_IN, ADDRESS_NEVER_NAMED, CALLER_NEVER_NAMED, ACCOUNTS_NOT_MERGED, NEVER_NAMED_TOGETHER,
)  # fmt: skip
#: Why a key that leads no further is not known to be its person's, by its type; any other is NEVER_NAMED_TOGETHER.
_NEVER_NAMED = {
    ANONYMOUS: NEVER_SIGNED_IN,
    "email": ADDRESS_NEVER_NAMED,
    "phone": CALLER_NEVER_NAMED,
    CUSTOMER: ACCOUNTS_NOT_MERGED,
}
#: Within this time somebody at a family's computer signs in, or it can't be known who it was.
_SIGNS_IN = 5 * MINUTE


class _Naming(NamedTuple):
    """An event of `person` that names a key together with a stronger one, the target."""

    at: int
    target: str
    is_verified: bool
    person: str


class _Traced(NamedTuple):
    """How far a key leads up to its person: to `root`; `why` says why no further."""

    root: str
    why: str | None = None


def whys(events: Sequence[Simulated], catalogue: Catalogue, policy: IdentityPolicy) -> list[str | None]:
    """Return for each event why it can't be known whose it is; None if it can, and for a correction.

    It can be known where the keys lead to the person's strongest key: by namings of this person alone, and of a key
    that others use as well, only while it is certain who uses it. It is what people did that counts here, not what the
    pipeline makes of it.
    """
    return _World(events, catalogue, policy).whys()


def _never_named(root: str) -> str:
    return _NEVER_NAMED.get(root.partition(":")[0], NEVER_NAMED_TOGETHER)


class _World:
    """All events, by the keys that they name."""

    def __init__(self, events: Sequence[Simulated], catalogue: Catalogue, policy: IdentityPolicy) -> None:
        self._events, self._policy = events, policy
        self._keys = [named_keys(each.touchpoint) for each in events]
        self._users: defaultdict[str, set[str]] = defaultdict(set)
        self._namings: defaultdict[tuple[str, str], list[_Naming]] = defaultdict(list)
        self._survivors: dict[str, str] = {}
        self._ended: set[str] = set()
        for (touchpoint, person), keys in zip(events, self._keys, strict=True):
            if touchpoint.kind == CUSTOMER_MERGED:
                self._survivors[f"{CUSTOMER}:{touchpoint.attributes[MERGED_CUSTOMER]}"] = keys[0]
            elif touchpoint.kind == IDENTITY_ENDED:
                self._ended.update(keys)
            if person is None:
                continue
            trust = catalogue.entry(touchpoint.channel, touchpoint.kind).identity
            for key in keys:
                self._users[key].add(person)
                if trust != NONE and rank(key) > rank(keys[0]):
                    naming = _Naming(touchpoint.occurred_at, keys[0], trust == VERIFIED, person)
                    self._namings[key, person].append(naming)
        for namings in self._namings.values():
            namings.sort()

    def whys(self) -> list[str | None]:
        traced = [
            None if person is None else self._traced(keys[0], touchpoint.occurred_at, person)
            for (touchpoint, person), keys in zip(self._events, self._keys, strict=True)
        ]
        roots = self._roots(traced)
        return [
            None if at is None or at.root == roots[str(person)] else at.why or _never_named(at.root)
            for (_, person), at in zip(self._events, traced, strict=True)
        ]

    def _roots(self, traced: Sequence[_Traced | None]) -> Mapping[str, str]:
        """Return each person's strongest key of those that are theirs alone, and of equals that of most touchpoints."""
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for (_, person), at in zip(self._events, traced, strict=True):
            if person is not None and at is not None:
                counts[person][at.root] += 1
        return {
            person: min(roots, key=lambda root: (len(self._users[root]) > 1, rank(root), -roots[root], root))
            for person, roots in counts.items()
        }

    def _traced(self, key: str, at: int, person: str) -> _Traced:
        if key.startswith(f"{CUSTOMER}:"):
            return _Traced(self._survivors.get(key, key))
        namings = self._namings.get((key, person), [])
        if len(self._users[key]) > 1 and (why := self._why_not_alone(key, at, namings)):
            return _Traced(key, why)
        rules = self._policy.of_type(key.partition(":")[0])
        place = bisect_right(namings, at, key=lambda naming: naming.at)
        if place and (rules.hold_ms is None or at - namings[place - 1].at <= rules.hold_ms):
            return self._traced(namings[place - 1].target, at, person)
        if place == len(namings):
            return _Traced(key, HOLD_PASSED if namings else None)
        later = namings[place]
        if rules.lookback_ms is not None and later.at - at > rules.lookback_ms:
            return _Traced(key, LOOKBACK_PASSED)
        if not later.is_verified:
            return _Traced(key, NOT_YET_TRUSTED)
        return self._traced(later.target, at, person)

    def _why_not_alone(self, key: str, at: int, namings: Sequence[_Naming]) -> str | None:
        """Return why it can't be known which of several people has used a key; None if it can."""
        if key.startswith("device:"):
            return SHARED_TABLET
        if key.startswith("phone:"):
            # Who has said on a recycled number who they are has had it alone in their time.
            is_recycled = key in self._ended
            return (None if namings else RECYCLED_NUMBER) if is_recycled else FAMILY_PHONE
        return None if any(0 <= naming.at - at <= _SIGNS_IN for naming in namings) else FAMILY_COMPUTER
