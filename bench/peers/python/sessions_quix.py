"""Quix Streams: writes a session once, when it closes."""

from datetime import timedelta

import quixstreams
from peer import APP, BOOTSTRAP, EVENTS, OUT, TOPIC, WORK, Clock, add, decode, empty, merge
from quixstreams import Application
from quixstreams.dataframe.windows import Reduce
from quixstreams.models import Deserializer

clock = Clock()


class Touchpoints(Deserializer):
    def __call__(self, value, ctx):
        if clock.seen() == EVENTS:
            app.stop()  # the loop ends after this message
        return decode(value)


app = Application(
    broker_address=BOOTSTRAP, consumer_group=APP, auto_offset_reset="earliest", state_dir=WORK, loglevel="WARNING"
)
topic = app.topic(
    TOPIC,
    key_deserializer="str",
    value_deserializer=Touchpoints(),
    timestamp_extractor=lambda value, headers, ts, ts_type: value["occurred_at"],
)
out = app.topic(OUT, key_serializer="str", value_serializer="json")
window = (
    app.dataframe(topic)
    .session_window(inactivity_gap_ms=timedelta(minutes=30), grace_ms=timedelta(minutes=20))
    .agg(value=Reduce(reducer=add, initializer=lambda e: add(empty(), e), merger=merge))
)
named = window.final().apply(
    lambda w, key, ts, headers: {"customer": key.removeprefix("customer:"), **w["value"]}, metadata=True
)
named.to_topic(out)
app.run()  # returns after the last checkpoint: flushed and committed
clock.report("Quix Streams " + quixstreams.__version__)
