"""Faust: a naive agent, as its documentation has one write it.

BODY=empty: no body. BODY=table: decode, keep the session in a Table. BODY=pg: that, and an upsert into the table OUT of
the database PG for every event.
"""

import json
import os
import sys

import faust
from peer import APP, BOOTSTRAP, CHANNELS, EVENTS, GAP_MS, OUT, PARTITIONS, TOPIC, WORK, Clock, add, decode, empty

BODY = os.environ["BODY"]
clock = Clock()
app = faust.App(
    APP,
    broker="kafka://" + BOOTSTRAP,
    store="memory://",
    topic_partitions=PARTITIONS,
    datadir=WORK,
    value_serializer="raw",
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
touchpoints = app.topic(TOPIC, key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw")
finished = False


async def finish():
    """Commit what was read, then say how long it took and leave."""
    await app.producer.flush()
    await app.commit({TOPIC})
    clock.report("Faust " + faust.__version__)
    sys.stdout.flush()
    os._exit(0)


def over():
    global finished
    if clock.n >= EVENTS and not finished:
        finished = True
        app.loop.create_task(finish())  # it ends the process
    return finished


if BODY == "empty":

    @app.agent(touchpoints)
    async def agent(stream):
        async for _event in stream:
            if clock.seen() >= EVENTS and over():
                return
else:
    sessions = app.Table("sessions", default=lambda: None, partitions=PARTITIONS, key_type=str, value_type=dict)
    if BODY == "pg":
        from sqlalchemy import BigInteger, Column, Float, MetaData, String, Table
        from sqlalchemy.dialects.postgresql import insert
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        engine = create_async_engine(os.environ["PG"].replace("postgresql://", "postgresql+asyncpg://"))
        Sql = async_sessionmaker(engine)
        meta = MetaData()
        rows = Table(
            OUT,
            meta,
            Column("customer", String, primary_key=True),
            Column("first", BigInteger, primary_key=True),
            *[Column(c, BigInteger) for c in ("count", "last", *CHANNELS, "scores")],
            Column("score_sum", Float),
            Column("last_kind", String),
        )

        @app.task
        async def make_table():
            async with engine.begin() as c:
                await c.run_sync(meta.create_all)
    else:
        closed = app.topic(OUT, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def upsert(customer, s):
        async with Sql() as db:
            q = insert(rows).values(customer=customer, **s)
            changed = {k: q.excluded[k] for k in s if k != "first"}
            await db.execute(q.on_conflict_do_update(index_elements=["customer", "first"], set_=changed))
            await db.commit()

    @app.agent(touchpoints)
    async def agent(stream):
        async for value in stream:
            n = clock.seen()
            e = decode(value)
            customer = e["customer_id"]
            s = sessions[customer]
            if s is not None and not s["first"] - GAP_MS <= e["occurred_at"] <= s["last"] + GAP_MS:
                if BODY != "pg":
                    await closed.send(key=customer.encode(), value=json.dumps({"customer": customer, **s}).encode())
                s = None
            s = add(dict(s) if s is not None else empty(), e)
            sessions[customer] = s
            if BODY == "pg":
                await upsert(customer, s)
            if n >= EVENTS and over():
                return


if __name__ == "__main__":
    app.main()
