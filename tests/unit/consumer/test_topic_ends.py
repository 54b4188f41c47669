"""Whether a worker has caught up: to the end of the log, also where an open transaction holds records back."""

from __future__ import annotations

from pipeline.consumer.topic_ends import TopicEnds
from pipeline.consumer.transport import Progress


def test_a_partition_is_not_caught_up_before_the_broker_has_told_its_end() -> None:
    assert not TopicEnds().caught_up(0, 0)


def test_offsets_behind_the_last_record_that_hold_none_are_not_waited_for() -> None:
    ends = TopicEnds()
    ends.update({0: 12}, {0: Progress(delivered=10, read=12, held_back=0)}, {0: 10})
    assert ends.caught_up(0, 10)


def test_what_an_open_transaction_holds_back_keeps_a_partition_from_being_idle() -> None:
    ends = TopicEnds()
    ends.update({0: 10}, {0: Progress(delivered=10, read=10, held_back=7)}, {0: 10})
    assert not ends.caught_up(0, 10)
    ends.update({0: 18}, {0: Progress(delivered=10, read=18, held_back=0)}, {0: 10})  # aborted
    assert ends.caught_up(0, 10)


def test_a_partition_whose_first_records_are_held_back_is_behind() -> None:
    ends = TopicEnds()
    ends.update({0: 0}, {0: Progress(delivered=None, read=0, held_back=3)}, {0: 0})
    assert not ends.caught_up(0, 0)


def test_what_was_known_before_the_broker_went_away_does_not_count() -> None:
    ends = TopicEnds()
    ends.update({0: 10}, {}, {0: 10})
    assert ends.caught_up(0, 10)
    ends.forget()
    assert not ends.caught_up(0, 10)
