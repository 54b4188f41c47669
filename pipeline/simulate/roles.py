"""Hands out keys to simulated customers, and to some of them a role in what makes identity hard."""

from __future__ import annotations

from hashlib import blake2b, sha256
from random import Random

from pipeline.simulate.keys import Computer, Keys
from pipeline.simulate.people import Person
from pipeline.simulate.story import DAY
from pipeline.touchpoint import Identifier

#: Shares of the customers with each role.
GUESTS, WITH_TWO_ACCOUNTS, IN_HOUSEHOLDS, WITH_RECYCLED_NUMBERS = 0.12, 0.03, 0.12, 0.04
WITH_CARD = 0.6
#: Who comes and calls often enough for a role that takes some contacts: weight, share of episodes that begin by phone.
_OFTEN, _CALLS = 0.6, 0.4


def hand_out(people: list[Person], seed: int, start_ms: int, end_ms: int) -> None:
    """Give keys to all customers among `people`, and roles to some, at least one of each if there are enough people.

    A guest gets an account later. A person with two accounts has them merged by the CRM. A household of two has one
    telephone and one computer. A recycled number is one person's first, and another's after that.
    """
    rng = Random(f"roles {seed}")
    customers = [person for person in people if person.customer_id]
    for person in customers:
        person.keys = _keys(person, seed, rng)
    free = sorted(customers, key=lambda person: (_is_caller(person), _comes_often(person), rng.random()))

    def taken(share: float, each: int) -> list[list[Keys]]:
        """Take groups of `each` people, of those who are left and fit best."""
        groups = max(1, round(len(customers) * share / each))
        people = [free.pop() for _ in range(min(groups * each, len(free) // each * each))]
        keys = [person.keys for person in people if person.keys is not None]
        return [keys[n : n + each] for n in range(0, len(keys), each)]

    def moment(earliest: float, latest: float) -> int:
        return start_ms + int((end_ms - start_ms) * rng.uniform(earliest, latest))

    for before, after in taken(WITH_RECYCLED_NUMBERS, 2):
        _recycle(before, after, moment(0.35, 0.6))
    for number, (one, other) in enumerate(taken(IN_HOUSEHOLDS, 2)):
        other.phone = one.phone
        one.computer = other.computer = Computer(_opaque(f"family {seed} {number}"))
    for (keys,) in taken(WITH_TWO_ACCOUNTS, 1):
        keys.second_account, keys.merged_at = f"{keys.account}-b", moment(0.5, 0.85)
    for (keys,) in taken(GUESTS, 1):
        keys.guest_until = moment(0.2, 0.8)


def _keys(person: Person, seed: int, rng: Random) -> Keys:
    account = str(person.customer_id)
    return Keys(
        account=account,
        cookies=(_opaque(f"{account} first device"), _opaque(f"{account} second device")),
        email=_hashed("email", f"person{person.number}@{seed}.example"),
        phone=_hashed("phone", f"{account} first"),
        loyalty=Identifier("loyalty", _opaque(f"{account} card")) if rng.random() < WITH_CARD else None,
    )


def _hashed(type: str, text: str) -> Identifier:
    """Return a hash like that of an address or phone number; behind the phones there is no number."""
    return Identifier(type, sha256(text.encode()).hexdigest())


def _opaque(text: str) -> str:
    """Return the value of a cookie or card, which does not tell whose it is."""
    return blake2b(text.encode(), digest_size=6).hexdigest()


def _recycle(before: Keys, after: Keys, at: int) -> None:
    """Let a number be given up, be nobody's from `at` on (epoch milliseconds), and be given to somebody else."""
    before.phone_ended_at = at
    before.next_phone, before.next_phone_at = _hashed("phone", f"{before.account} next"), at - DAY
    after.next_phone, after.next_phone_at = before.phone, at + DAY


def _is_caller(person: Person) -> bool:
    _, by_email, by_phone = person.habit
    return _comes_often(person) and by_phone - by_email >= _CALLS


def _comes_often(person: Person) -> bool:
    return person.arrives == 0 and person.weight >= _OFTEN
