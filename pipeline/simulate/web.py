"""Visits to the site, purchases, failed checkouts, and mails."""

from __future__ import annotations

from pipeline.simulate.answers import ask, experience
from pipeline.simulate.people import Person
from pipeline.simulate.queues import call, visit
from pipeline.simulate.story import DAY, HOUR, MINUTE, SECOND, Story

_PAGES = tuple({"page": page} for page in ("/", "/offers", "/account", "/prices", "/stories", "/contact"))
_PRODUCTS = tuple({"product": f"p{number:03d}"} for number in range(60))
_FAILS, _LEFT = 0.16, 0.30  # of checkouts: end in an error; are left


def browse(story: Story, person: Person, at: int) -> None:
    """Simulate a visit to the site; one in four fills the cart, and most of those go on to the checkout."""
    rng = story.rng
    choice, random = rng.choice, rng.random
    for _ in range(1 + min(12, int(rng.expovariate(0.45)))):
        kind = random()
        if kind < 0.5:
            story.add(person, at, "web", "page_viewed", attributes=choice(_PAGES))
        elif kind < 0.85:
            story.add(person, at, "web", "product_viewed", attributes=choice(_PRODUCTS))
        else:
            story.add(person, at, "web", "search_performed")
        at += 4 * SECOND + int(random() * 80 * SECOND)
    if random() < 0.28:
        story.add(person, at, "web", "cart_added", attributes=choice(_PRODUCTS))
        if random() < 0.75:
            check_out(story, person, at + 40 * SECOND)
    elif person.customer_id and random() < 0.06:
        story.add(person, at, "web", "help_viewed", attributes={"page": "/help"})
        if random() < 0.5:
            call(story, person, at + int(rng.uniform(2, 30) * MINUTE), about="help")


def check_out(story: Story, person: Person, at: int) -> None:
    """Simulate a checkout."""
    rng = story.rng
    order = story.subject("order")
    story.add(person, at, "web", "checkout_started", subject=order)
    fate = rng.random()
    at += int(rng.uniform(40, 240) * SECOND)
    if fate < _FAILS:
        story.add(person, at, "web", "checkout_failed", "failed", subject=order, attributes={"error": "payment"})
        experience(person, 0.1)
        _after_failing(story, person, at)
    elif fate < _FAILS + _LEFT:
        story.add(person, at, "web", "checkout_abandoned", "abandoned", subject=order)
        if person.customer_id:
            mail(story, person, at + 3 * HOUR, campaign="cart")
    else:
        _bought(story, person, at, order)


def _after_failing(story: Story, person: Person, at: int) -> None:
    if not person.customer_id:
        return
    rng = story.rng
    turn = rng.random()
    if turn < 0.45:
        call(story, person, at + int(rng.uniform(1, 25) * MINUTE), about="checkout")
    elif turn < 0.55:
        visit(story, person, at - at % DAY + DAY + int(rng.uniform(9, 16) * HOUR), about="checkout")
    elif turn < 0.75:
        check_out(story, person, at + 3 * MINUTE)
    ask(story, person, at + HOUR, "web/checkout_failed", 0.15, "ces", "email")


def _bought(story: Story, person: Person, at: int, order: str) -> None:
    rng = story.rng
    amount = int(rng.lognormvariate(8.3, 0.9))
    story.add(person, at, "web", "purchase", "succeeded", amount_minor=amount, subject=order)
    experience(person, 0.85)
    if not person.customer_id:
        return
    story.add(person, at + 5 * SECOND, "email", "order_confirmed", subject=order)
    shipped = at + int(rng.uniform(6, 40) * HOUR)
    story.add(person, shipped, "email", "order_shipped", subject=order)
    if rng.random() < 0.4:
        story.add(person, shipped + int(rng.uniform(1, 20) * HOUR), "web", "tracking_viewed", subject=order)
    late = rng.random() < 0.12
    quality = 0.4 if late else 0.85
    if late:
        experience(person, 0.3)
        if rng.random() < 0.35:
            call(story, person, shipped + int(rng.uniform(40, 80) * HOUR), about="delivery")
    if rng.random() < 0.6:
        instrument = "nps" if rng.random() < 0.5 else "csat"
        ask(story, person, shipped + 3 * DAY, "web/purchase", quality, instrument, "email")


def mail(story: Story, person: Person, at: int, campaign: str = "newsletter") -> None:
    """Simulate a mail: delivered, perhaps opened, perhaps clicked, which leads to the site."""
    rng = story.rng
    about = {"campaign": campaign}
    if rng.random() < 0.015:
        story.add(person, at, "email", "email_bounced", "failed", attributes=about)
        return
    story.add(person, at, "email", "email_delivered", attributes=about)
    if rng.random() > 0.2 + 0.4 * person.mood:
        return
    opened = at + int(rng.lognormvariate(0.3, 1.0) * HOUR)
    story.add(person, opened, "email", "email_opened", attributes=about)
    if rng.random() < 0.4:
        clicked = opened + int(rng.uniform(5, 60) * SECOND)
        story.add(person, clicked, "email", "email_clicked", attributes=about)
        if person.customer_id:
            browse(story, person, clicked + 2 * SECOND)
    elif rng.random() < 0.015:
        story.add(person, opened + 20 * SECOND, "email", "email_unsubscribed")
