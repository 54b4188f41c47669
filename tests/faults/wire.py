"""Postgres's wire protocol, as far as it takes to know a batch's commit among what a client sends."""

from __future__ import annotations

from collections.abc import Iterator

_STARTUP = 196608
#: stands in the statement that commits a batch, and in no other
COMMIT = b"UPDATE position AS p SET next_offset"


class Frames:
    """Cuts a stream of bytes into messages; the first ones of a client have no type."""

    def __init__(self, *, untyped: bool) -> None:
        self._untyped = untyped
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are complete by now, whole."""
        self._rest += data
        while True:
            skip = 0 if self._untyped else 1
            if len(self._rest) < skip + 4:
                return
            length = skip + int.from_bytes(self._rest[skip : skip + 4], "big")
            if len(self._rest) < length:
                return
            message, self._rest = self._rest[:length], self._rest[length:]
            if self._untyped and int.from_bytes(message[4:8], "big") == _STARTUP:
                self._untyped = False
            yield message


class Commits:
    """Recognises the message that makes a batch's commit happen: prepared or not."""

    def __init__(self) -> None:
        self._prepared: set[bytes] = set()

    def is_commit(self, message: bytes) -> bool:
        """Whether a client's message is the one; to be asked about each, in order."""
        if message[:1] == b"P":
            name, _, rest = message[5:].partition(b"\0")
            self._prepared.discard(name)
            if COMMIT in rest:
                self._prepared.add(name)
        elif message[:1] == b"B":
            statement = message[5:].split(b"\0", 2)[1]
            return statement in self._prepared
        elif message[:1] == b"Q":
            return COMMIT in message
        return False
