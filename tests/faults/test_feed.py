"""What the feed makes up: enough of each kind, and bad records that are bad."""

from __future__ import annotations

import time
from itertools import islice
from random import Random

from faults.crowd import COOKIES, Crowd
from faults.feed import CLOCKS_OFF, stories, with_clock_off
from faults.poison import poison
from faults.versions import newer, older
from pipeline.contract.decode import Writer, decode
from pipeline.contract.encode import Encoder
from pipeline.contract.encode import touchpoint_record as record_of
from pipeline.contract.reject import Rejected
from pipeline.contract.schema import schema_text
from pipeline.contract.validate import check
from pipeline.identity.correction import Correction
from pipeline.identity.correction_log import CorrectionLog
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import CORRECTION_KINDS, MERGED_CUSTOMER, Touchpoint, named_keys, rank

NOW = int(time.time() * 1000)
EVENTS = 3_000


def told(seed: int, events: int) -> list[Touchpoint]:
    return list(islice(stories(seed, EVENTS, NOW), events))


def test_the_same_seed_tells_the_same_and_goes_on_without_end() -> None:
    assert told(1, EVENTS * 2) == told(1, EVENTS * 2)
    assert told(1, 10) != told(2, 10)


def test_some_come_twice_and_some_late() -> None:
    stream = told(1, EVENTS)
    assert len({(t.source, t.event_id, t.occurred_at) for t in stream}) < EVENTS * 0.99
    latest, behind = 0, 0
    for touchpoint in stream:
        behind += touchpoint.occurred_at < latest - 6 * 3_600_000
        latest = max(latest, touchpoint.occurred_at)
    assert behind > EVENTS * 0.02


def test_keys_are_named_together_and_corrections_of_each_kind_take_some_of_that_back() -> None:
    stream = told(1, EVENTS)
    assert sum(len(named_keys(t)) > 1 for t in stream) > EVENTS * 0.1
    assert sum(rank(named_keys(t)[0]) > 0 for t in stream) > EVENTS * 0.3
    corrections = [t for t in stream if t.kind in CORRECTION_KINDS]
    assert {t.kind for t in corrections} == set(CORRECTION_KINDS)
    assert all(check(t, NOW) is None for t in corrections)
    named = {(t.source, t.event_id) for t in stream}
    assert all((t.source, t.subject) in named for t in corrections if t.subject)
    assert any(t.subject in {other.event_id for other in corrections} for t in corrections)


def test_a_customer_with_very_many_cookies_is_merged_and_split_in_turn() -> None:
    crowd = Crowd(1, NOW)
    cookies = {t.anonymous_id for t in crowd.signs_in()}
    assert len(cookies) == COOKIES
    assert all(check(t, NOW) is None for t in crowd.signs_in())
    log, survivors = CorrectionLog(()), []
    for _ in range(4):
        t = crowd.corrected()
        other = t.attributes.get(MERGED_CUSTOMER)
        made = Correction(
            named_keys(t)[0], named_keys(t), t.kind, t.occurred_at, t.source, t.event_id, t.subject,
            other and f"customer:{other}",
        )  # fmt: skip
        log = log.with_added([made])
        survivors.append(log.survivors)
    assert survivors == [{"customer:crowd-1": "customer:crowd-1-all"}, {}] * 2


def test_the_clocks_of_some_producers_are_an_hour_off_either_way() -> None:
    stream = told(1, EVENTS)
    off = [(t, other) for t in stream if (other := with_clock_off(t, Random(t.event_id))) != t]
    assert {other.occurred_at - t.occurred_at for t, other in off} == set(CLOCKS_OFF.values())
    assert all(other.source != t.source for t, other in off)


def test_every_kind_of_poison_is_refused_whatever_it_is_made_from() -> None:
    encoder = Encoder(7, schema_text(TOUCHPOINTS))
    writers = {encoder.encode(record_of(told(1, 1)[0]))[1:5]: Writer(schema_text(TOUCHPOINTS))}
    reasons = set()
    for number, good in enumerate(told(1, 64)):
        read = decode(poison(good, encoder, number, NOW), writers)
        refused = read if isinstance(read, Rejected) else check(read, NOW)
        assert refused is not None, number
        reasons.add(refused.reason)
    assert len(reasons) >= 10


def test_other_versions_of_the_schema_are_read_as_the_same_touchpoint() -> None:
    touchpoint = told(1, 1)[0]._replace(sent_at=None)
    record = record_of(touchpoint)
    for schema, more in ((older(), {}), (newer("region"), {"region": "north"})):
        encoder = Encoder(8, schema)
        value = encoder.encode({**record, **more})
        assert decode(value, {value[1:5]: Writer(schema)}) == touchpoint
