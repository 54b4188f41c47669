"""Bytewax: writes a session once, when it closes (the end of the input closes the rest). No recovery store (its
default)."""

import json
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.testing import run_main
from peer import BOOTSTRAP, OUT, TOPIC, Clock, add, decode, empty, merge

clock = Clock()


def keyed(m):
    clock.seen()
    e = decode(m.value)
    return e["customer_id"], e


flow = Dataflow("sessions")
msgs = op.input("in", flow, KafkaSource([BOOTSTRAP], [TOPIC], tail=False, batch_size=5000))
events = op.map("decode", msgs, keyed)
out = win.fold_window(
    "sessions",
    events,
    win.EventClock(
        lambda e: datetime.fromtimestamp(e["occurred_at"] / 1000, UTC),
        timedelta(minutes=20),
        to_system_utc=lambda t: None,
    ),
    win.SessionWindower(gap=timedelta(minutes=30)),
    empty,
    add,
    merge,
    ordered=True,
)
done = op.map(
    "json",
    out.down,
    lambda kw: KafkaSinkMessage(kw[0].encode(), json.dumps({"customer": kw[0], **kw[1][1]}).encode()),
)
op.output("out", done, KafkaSink([BOOTSTRAP], OUT))
run_main(flow)  # returns when the input has ended and the sink has flushed
clock.report("Bytewax " + version("bytewax"))
