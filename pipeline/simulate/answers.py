"""Feedback of simulated customers: moods, surveys that some answer, complaints."""

from __future__ import annotations

from pipeline.scales import SCALES
from pipeline.simulate.people import Person
from pipeline.simulate.story import DAY, HOUR, MINUTE, Story
from pipeline.touchpoint import Feedback

_GLAD = ("Quick and friendly.", "All good, thank you.", "Easy.")
_SORRY = ("I waited far too long.", "It broke off and nobody could help.", "Never again.")
_WITH_WORDS = 0.15


def experience(person: Person, quality: float) -> None:
    """Change a mood by something good (1) or bad (0); bad weighs double."""
    pull = 0.2 if quality >= 0.5 else 0.4
    person.mood += pull * (quality - person.mood)


def ask(story: Story, person: Person, at: int, about: str, quality: float, instrument: str, channel: str) -> None:
    """Send a survey that judges `about` (<channel>/<kind>); some answer, sooner when they were annoyed.

    `quality` is how good it was, 0 to 1.
    """
    rng = story.rng
    judged = {"about": about}
    story.add(person, at, channel, "survey_sent", attributes=judged)
    if rng.random() > person.answers * (1.4 if quality < 0.4 else 1.0):
        return
    answered = at + int(rng.lognormvariate(0.5, 1.0) * (10 * MINUTE if channel != "email" else 4 * HOUR))
    tell(story, person, answered, about, quality, instrument, channel)


def tell(story: Story, person: Person, at: int, about: str, quality: float, instrument: str, channel: str) -> None:
    """Answer a survey on `about` with a whole number on the instrument's scale."""
    rng = story.rng
    scale = SCALES[instrument]
    felt = min(1.0, max(0.0, quality + person.leniency + rng.gauss(0, 0.13)))
    score = float(round(scale.worst + felt * (scale.best - scale.worst)))
    words = rng.choice(_GLAD if felt >= 0.5 else _SORRY) if rng.random() < _WITH_WORDS else None
    feedback = Feedback(instrument, score, words)
    story.add(person, at, channel, "survey_answered", feedback=feedback, attributes={"about": about})


def complain(story: Story, person: Person, at: int, channel: str, about: str) -> None:
    """Complain; two in three complaints are settled within days, and what they think of that is asked."""
    rng = story.rng
    case = story.subject("case")
    story.add(person, at, channel, "complaint_opened", subject=case, attributes={"about": about})
    experience(person, 0.1)
    if rng.random() < 0.66:
        settled = at + int(rng.lognormvariate(0.6, 0.6) * DAY)
        story.add(person, settled, "email", "complaint_resolved", "succeeded", subject=case)
        experience(person, 0.65)
        ask(story, person, settled + 2 * HOUR, "email/complaint_resolved", 0.6, "ces", "email")
