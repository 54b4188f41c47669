"""The configuration of new topics."""

from __future__ import annotations

from pipeline.publishing.create_topics import CONFIGURATION, configuration


def test_topics_with_three_replicas_lose_nothing_that_was_acknowledged_with_one_of_them() -> None:
    for topic in CONFIGURATION:
        assert configuration(topic, 3)["min.insync.replicas"] == "2"
        assert "min.insync.replicas" not in configuration(topic, 1), "one broker could not be away at all"
        assert configuration(topic, 3)["message.timestamp.type"] == "LogAppendTime"
