"""Produces a record with a header whose name is not UTF-8, as a client written in C can: servers topic partition key
value (these two in hex)."""

from __future__ import annotations

import asyncio
import os
import sys

os.environ["AIOKAFKA_NO_EXTENSIONS"] = "1"  # the compiled record builder would not ask the name for its bytes

from aiokafka import AIOKafkaProducer


class NotUtf8(str):
    """A name with bytes of its own."""

    __slots__ = ()

    def encode(self, *_args: object, **_options: object) -> bytes:
        return b"\xff\xfe"


async def main(servers: str, topic: str, partition: str, key: str, value: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    try:
        await producer.send_and_wait(
            topic, bytes.fromhex(value), bytes.fromhex(key), int(partition), headers=[(NotUtf8(), b"v")]
        )
    finally:
        await producer.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
