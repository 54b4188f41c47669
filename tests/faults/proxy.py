"""A way to the database that can be cut: at once, or right before or after a batch's commit."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field

from faults.wire import Commits, Frames

_CHUNK = 1 << 16


@dataclass(eq=False)
class _Line:
    """One connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    #: the answer to a commit is held back and the line cut when it is complete
    withhold: bool = False
    commits: Commits = field(default_factory=Commits)

    def cut(self) -> None:
        """Both sides, without a farewell."""
        for side in (self.client, self.server):
            if (transport := side.transport) is not None:
                transport.abort()


class Proxy:
    """Listens on a free port of 127.0.0.1 and passes on to `host`:`port`; runs in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._lines: set[_Line] = set()
        self._armed: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.cuts = {"before": 0, "after": 0, "anywhere": 0}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def cut_a_commit(self, when: str) -> None:
        """Cut the line of the next commit: `before` it gets to the server, or `after`, before its answer gets back."""
        self._armed = when

    def disarm(self) -> None:
        """No commit is cut any more."""
        self._armed = None

    def cut_all(self) -> None:
        """Cut every line there is."""

        async def cut() -> None:
            for line in list(self._lines):
                line.cut()
                self.cuts["anywhere"] += 1

        asyncio.run_coroutine_threadsafe(cut(), self._loop).result(10)

    def close(self) -> None:
        """Stop listening, cut what is open."""

        async def close() -> None:
            self._server.close()
            for line in list(self._lines):
                line.cut()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._pass_on(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, server = await asyncio.open_connection(*self._target)
        line = _Line(writer, server)
        self._lines.add(line)
        back = asyncio.create_task(self._back(answers, line))
        try:
            await self._forth(reader, line)
        finally:
            line.cut()
            self._lines.discard(line)
            back.cancel()

    async def _forth(self, reader: asyncio.StreamReader, line: _Line) -> None:
        frames = Frames(untyped=True)
        while data := await reader.read(_CHUNK):
            for message in frames.feed(data):
                if line.commits.is_commit(message) and self._armed is not None:
                    when, self._armed = self._armed, None
                    if when == "before":
                        self.cuts["before"] += 1
                        line.cut()
                        return
                    line.withhold = True
                line.server.write(message)
            await line.server.drain()

    async def _back(self, answers: asyncio.StreamReader, line: _Line) -> None:
        frames: Frames | None = None
        with contextlib.suppress(OSError):
            while data := await answers.read(_CHUNK):
                if line.withhold:
                    frames = frames or Frames(untyped=False)
                    if any(message[:1] == b"Z" for message in frames.feed(data)):
                        self.cuts["after"] += 1
                        break
                else:
                    line.client.write(data)
                    await line.client.drain()
        line.cut()
