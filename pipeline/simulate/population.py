"""The simulated period: people's episodes, until the wanted number of touchpoints is reached."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from hashlib import blake2b
from itertools import accumulate
from random import Random
from typing import NamedTuple

from pipeline.simulate import queues, web
from pipeline.simulate.naming import Naming
from pipeline.simulate.people import Person, make
from pipeline.simulate.roles import hand_out
from pipeline.simulate.story import DAY, HOUR, MINUTE, Story
from pipeline.touchpoint import CORRECTION_KINDS, Touchpoint

#: Touchpoints per person if the number of people is not given.
EVENTS_EACH = 25
DEFAULT_DAYS = 42

_EVENTS_PER_EPISODE = 5.5
_EVENTS_PER_CANDIDATE = 2.4  # a first guess: candidates may be asleep, gone, or not there yet
_KEPT = 0.7  # of what was learnt so far, the share that the next day keeps
_CLOSES = 0.35  # of the customers who leave, those who say so


class Simulated(NamedTuple):
    """A touchpoint, and the person whose contact it was; None for a correction, which is nobody's contact."""

    touchpoint: Touchpoint
    person: str | None


def touchpoints(
    *, seed: int, customers: int | None = None, events: int = 10_000, days: float = DEFAULT_DAYS, end_ms: int
) -> Iterator[Touchpoint]:
    """Yield exactly `events` touchpoints of `customers` people in the `days` up to `end_ms` (epoch milliseconds).

    In order of `occurred_at`, except for a few at the end. The same arguments give the same touchpoints, event ids
    included. Memory holds the people and future touchpoints only. Every channel knows the customer's number.
    """
    made = simulated(seed=seed, customers=customers, events=events, days=days, end_ms=end_ms)
    return (each.touchpoint for each in made)


def simulated(
    *,
    seed: int,
    customers: int | None = None,
    events: int = 10_000,
    days: float = DEFAULT_DAYS,
    end_ms: int,
    identity: bool = False,
) -> Iterator[Simulated]:
    """Yield the same with their people. With `identity`, each channel knows customers by its own keys only.

    Then corrections count as `events`, too.
    """
    if events < 1:
        return
    people_count = customers or max(1, events // EVENTS_EACH)
    rng = Random(seed)
    span = int(days * DAY)
    start_ms = end_ms - span
    each = events / (_EVENTS_PER_EPISODE * people_count)
    people = [make(rng, number, seed, each) for number in range(people_count)]
    story = Story(rng, _run(seed, people_count, events, span, end_ms, identity), end_ms)
    if identity:
        hand_out(people, seed, start_ms, end_ms)
    naming = Naming(story, people, seed)
    emitted = 0
    for moment in _moments(story, people, start_ms, end_ms, events):
        for person, told in story.until(moment):
            touchpoint = naming.named(person, told)
            if touchpoint is None:
                continue
            yield Simulated(touchpoint, None if told.kind in CORRECTION_KINDS else f"person-{person.number:06d}")
            emitted += 1
            if emitted == events:
                return


def _moments(story: Story, people: list[Person], start_ms: int, end_ms: int, events: int) -> Iterator[int]:
    """Let people begin episodes. Yield moments before which nothing more will be added; in the end `end_ms` for ever.

    Candidates come as a Poisson process over everybody, whose rate is set anew each day (or fortieth of a shorter time)
    so that the number of touchpoints comes out in time.
    """
    rng = story.rng
    random, expovariate = rng.random, rng.expovariate
    bounds = list(accumulate(person.weight for person in people))
    total, last = bounds[-1], len(people) - 1
    span = end_ms - start_ms
    day = max(min(DAY, span // 40), 1)
    at, day_ends = float(start_ms), float(start_ms)
    pace, tried, told_before = _Pace(), 0, 0
    while True:
        if at >= day_ends:
            pace.learn(tried, story.told - told_before)
            tried, told_before, day_ends = 0, story.told, day_ends + day
            rate = pace.candidates(max(events - story.told, 1)) / max(end_ms - at, MINUTE)
        at += expovariate(rate)
        if at >= end_ms:
            break
        tried += 1
        person = people[min(last, bisect(bounds, random() * total))]
        moment = int(at)
        if person.gone or moment - start_ms < person.arrives * span or random() > person.hours[moment // HOUR % 24]:
            continue
        yield moment
        _episode(story, person, moment)
    yield end_ms
    while True:  # too few: some more look around in the last minutes
        person = rng.choice([person for person in people if not person.gone] or people)
        moment = end_ms - int(random() * min(span, 20 * MINUTE))
        (web.mail if person.identifiers else web.browse)(story, person, moment)
        yield end_ms


class _Pace:
    """Estimates how many candidates a number of touchpoints takes, from the days before."""

    def __init__(self) -> None:
        self._tried = 40.0
        self._told = self._tried * _EVENTS_PER_CANDIDATE

    def learn(self, tried: int, told: int) -> None:
        self._tried = self._tried * _KEPT + tried
        self._told = self._told * _KEPT + told

    def candidates(self, events: int) -> float:
        return events * self._tried / max(self._told, 0.1 * self._tried)


def _episode(story: Story, person: Person, at: int) -> None:
    rng = story.rng
    by_web, by_email, by_phone = person.habit
    choice = rng.random()
    if choice < by_web:
        web.browse(story, person, at)
    elif choice < by_email:
        web.mail(story, person, at)
    elif choice < by_phone or not queues.OPEN_FROM <= at // HOUR % 24 < queues.OPEN_UNTIL:
        queues.call(story, person, at)
    else:
        queues.visit(story, person, at)
    annoyed = (1 - person.mood) / 0.3  # 1 in an ordinary mood
    if rng.random() < person.leaves * annoyed * annoyed:
        _leave(story, person, at)


def _leave(story: Story, person: Person, at: int) -> None:
    person.gone = True
    if person.customer_id and story.rng.random() < _CLOSES:
        channel = story.rng.choice(("web", "web", "call_centre", "branch"))
        story.add(person, at + int(story.rng.uniform(4, 6) * DAY), channel, "account_closed")


def _run(seed: int, customers: int, events: int, span: int, end_ms: int, identity: bool) -> str:
    """Return what identifies this simulation."""
    text = f"{seed} {customers} {events} {span} {end_ms}{' identity' if identity else ''}"
    return blake2b(text.encode(), digest_size=4).hexdigest()
