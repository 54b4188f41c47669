"""Damaging bytes: what a faulty producer, a bad disk or somebody with ill intent may make of a valid input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random


def varint(value: int) -> bytes:
    """An Avro long of any size: zigzag, seven bits a byte."""
    rest, out = (value << 1) if value >= 0 else ((-value << 1) - 1), bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes(out) + bytes([rest])


#: What a length, a count, a branch or a number may be blown up to.
_EDGES = [varint(n) for n in (0, -1, 1, -2, 63, 64, 200, 201, 2**31 - 1, -(2**31), 2**53, 2**63 - 1, -(2**63), 2**64)]
_RAW = [
    b"\xff" * 9 + b"\x01", b"\xff" * 12, b"\x80" * 30 + b"\x01", b"\x80\x00", b"\xff\xfe", b"\xc0\x80",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x00\x00\x00\x00\x00\x00\xf8\x7f", b"\x00\x00\x00\x00\x00\x00\xf0\xff",
]  # fmt: skip


def _flip(data: bytearray, random: Random, _: bytes) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _byte(data: bytearray, random: Random, _: bytes) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice((0, 1, 2, 0x7F, 0x80, 0xFF, random.randrange(256)))


def _cut(data: bytearray, random: Random, _: bytes) -> None:
    del data[random.randrange(len(data) + 1) :]


def _drop(data: bytearray, random: Random, _: bytes) -> None:
    at = random.randrange(len(data) + 1)
    del data[at : at + random.randrange(1, 9)]


def _repeat(data: bytearray, random: Random, _: bytes) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = data[at : at + random.randrange(1, 33)] * random.choice((1, 2, 50))


def _splice(data: bytearray, random: Random, other: bytes) -> None:
    data[random.randrange(len(data) + 1) :] = other[random.randrange(len(other) + 1) :]


def _edge(data: bytearray, random: Random, _: bytes) -> None:
    at = random.randrange(len(data) + 1)
    data[at : at + random.choice((0, 1, 1, 2))] = random.choice(_EDGES)


def _raw(data: bytearray, random: Random, _: bytes) -> None:
    at = random.randrange(len(data) + 1)
    data[at : at + random.choice((0, 1, 8))] = random.choice(_RAW)


def _grow(data: bytearray, random: Random, _: bytes) -> None:
    data += random.randbytes(1) * random.choice((1, 100, 10_000))


def _noise(data: bytearray, random: Random, _: bytes) -> None:
    data[random.randrange(len(data) + 1) :] = random.randbytes(random.randrange(64))


_DAMAGE: Sequence[Callable[[bytearray, Random, bytes], None]] = (
    _flip, _flip, _byte, _byte, _cut, _drop, _repeat, _splice, _edge, _edge, _edge, _raw, _raw, _grow, _noise,
)  # fmt: skip


def damaged(data: bytes, random: Random, other: bytes) -> bytes:
    """`data` with one to four kinds of damage; `other` is a second input, whose end may be spliced on."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        random.choice(_DAMAGE)(out, random, other)
    return bytes(out)
