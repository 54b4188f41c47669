"""Calls and branch visits: waiting, giving up, and what comes next."""

from __future__ import annotations

from pipeline.simulate.answers import ask, complain, experience, tell
from pipeline.simulate.people import Person
from pipeline.simulate.story import HOUR, MINUTE, SECOND, Story

#: Load by hour of the day (UTC); 1 is ordinary.
_CALLS = (0.3,) * 7 + (0.6, 1.0, 1.7, 2.0, 1.6, 1.1, 1.0, 1.2, 1.3, 1.2, 1.0, 0.9, 0.8, 0.7, 0.6, 0.4, 0.3)
_BRANCHES = (0.2,) * 8 + (0.7, 1.0, 1.2, 1.6, 2.1, 1.8, 1.0, 0.9, 1.3, 1.2) + (0.5,) * 6
OPEN_FROM, OPEN_UNTIL = 8, 18

_BRANCH_NAMES = ("north", "market", "station", "harbour")


def call(story: Story, person: Person, at: int, *, about: str = "question", tries: int = 0) -> None:
    """Simulate a call: wait, be served or hang up; then some try again, visit a branch, or stop."""
    rng = story.rng
    wait = int(rng.expovariate(1 / (75 * SECOND)) * _CALLS[at // HOUR % 24])
    topic = {"topic": about}
    if wait > person.patience_ms:
        wait = person.patience_ms
        story.add(person, at, "call_centre", "call_queued", "abandoned", wait, attributes=topic)
        story.add(person, at + wait, "call_centre", "call_abandoned", "abandoned", wait)
        experience(person, 0.12)
        _after_giving_up(story, person, at + wait, about, tries)
        return
    duration = int(rng.lognormvariate(5.1, 0.7) * SECOND)
    solved = rng.random() < 0.82
    story.add(person, at, "call_centre", "call_queued", "succeeded", wait, attributes=topic)
    story.add(person, at + wait, "call_centre", "call_answered")
    over = at + wait + duration
    story.add(person, over, "call_centre", "call_ended", "succeeded" if solved else "failed", None, duration)
    quality = (0.85 if solved else 0.3) - 0.35 * min(1.0, wait / (6 * MINUTE))
    experience(person, quality)
    if rng.random() < 0.5:
        ask(story, person, over + MINUTE, "call_centre/call_ended", quality, "csat", "call_centre")
    if not solved:
        if rng.random() < 0.25:
            complain(story, person, over + 5 * MINUTE, "call_centre", "call_centre/call_ended")
        elif tries < 2 and rng.random() < 0.6:
            call(story, person, over + int(rng.uniform(1, 20) * HOUR), about=about, tries=tries + 1)


def _after_giving_up(story: Story, person: Person, at: int, about: str, tries: int) -> None:
    rng = story.rng
    turn = rng.random()
    if turn < 0.40 and tries < 3:
        call(story, person, at + int(rng.uniform(3, 90) * MINUTE), about=about, tries=tries + 1)
    elif turn < 0.60:
        visit(story, person, _opening(at + int(rng.uniform(0.5, 8) * HOUR)), about=about)
    elif turn < 0.75:
        later = at + int(rng.uniform(1, 15) * MINUTE)
        story.add(person, later, "web", "help_viewed", attributes={"page": "/help/contact"})
        if rng.random() < 0.4:
            complain(story, person, later + 4 * MINUTE, "web", "call_centre/call_abandoned")


def visit(story: Story, person: Person, at: int, *, about: str = "errand") -> None:
    """Simulate a visit to a branch: a ticket, then service or leaving; some buy, some rate at the exit."""
    rng = story.rng
    wait = int(rng.expovariate(1 / (7 * MINUTE)) * _BRANCHES[at // HOUR % 24])
    patience = person.patience_ms * 5  # who has come all the way waits longer than on the phone
    ticket = story.subject("ticket")
    place = {"branch": rng.choice(_BRANCH_NAMES), "topic": about}
    story.add(person, at, "branch", "visit_started", subject=ticket, attributes=place)
    if wait > patience:
        story.add(person, at + patience, "branch", "visit_abandoned", "abandoned", patience, subject=ticket)
        experience(person, 0.15)
        if rng.random() < 0.3:
            complain(story, person, at + patience + 2 * HOUR, "web", "branch/visit_abandoned")
        return
    duration = int(rng.lognormvariate(6.0, 0.5) * SECOND)
    story.add(person, at + wait, "branch", "counter_served", "succeeded", wait, duration, subject=ticket)
    over = at + wait + duration
    quality = 0.88 - 0.5 * min(1.0, wait / (25 * MINUTE))
    experience(person, quality)
    if rng.random() < 0.3:
        amount = int(rng.lognormvariate(8.6, 0.8))
        story.add(person, over, "branch", "purchase", "succeeded", amount_minor=amount, subject=story.subject("order"))
    if rng.random() < person.answers:
        tell(story, person, over + 30 * SECOND, "branch/counter_served", quality, "csat", "branch")


def _opening(at: int) -> int:
    """Return the same moment, or the next one at which a branch is open."""
    hour = at // HOUR % 24
    if hour < OPEN_FROM:
        return at + (OPEN_FROM - hour) * HOUR
    return at if hour < OPEN_UNTIL else at + (24 + OPEN_FROM - hour) * HOUR
