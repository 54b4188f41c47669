"""What a run is at, in a file that outlives it: a process that crashes or hangs can't say so itself."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_HEAD = struct.Struct("<QQ")
#: The largest input; a longer one is cut in the report (not in the run).
_ROOM = 16 * 1024 * 1024


class Box:
    """The number of the input under way, and its bytes."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(_HEAD.size + _ROOM)
            self._map = mmap.mmap(file.fileno(), _HEAD.size + _ROOM)

    def put(self, number: int, data: bytes) -> None:
        """Note an input before it is tried."""
        kept = data[:_ROOM]
        self._map[_HEAD.size : _HEAD.size + len(kept)] = kept
        self._map[: _HEAD.size] = _HEAD.pack(number, len(kept))

    @property
    def number(self) -> int:
        """The number of the input that was put last, from 1; 0 before the first."""
        return int(_HEAD.unpack_from(self._map)[0])

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self._map[_HEAD.size : _HEAD.size + _HEAD.unpack_from(self._map)[1]]
