"""Workers as a service manager runs them: each with an identity of its own, started again at once when it dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LOOK_EVERY_S = 0.01
STOP_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """An end of a worker. `at` in epoch seconds; `asked` are the codes that it may have, None when it was to live."""

    worker: str
    code: int
    at: float
    asked: frozenset[int] | None
    during: str
    log: Path

    @property
    def explained(self) -> bool:
        """Whether it ended as it was to."""
        return self.asked is not None and self.code in self.asked


@dataclass(eq=False)
class Incarnation:
    """One process of a worker."""

    worker: str
    process: subprocess.Popen[bytes]
    log: Path
    may_exit: frozenset[int] | None
    exit: Exit | None = None

    def said(self, since: int = 0) -> str:
        """Its log from a position (bytes) on."""
        return self.log.read_bytes()[since:].decode(errors="replace")

    def events(self) -> list[dict[str, Any]]:
        """Its log's lines."""
        found = []
        for line in self.said().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    @property
    def metrics_address(self) -> str | None:
        """Where it serves its metrics, once it has said so."""
        return next((str(e["address"]) for e in self.events() if e.get("event") == "metrics"), None)


@dataclass(eq=False)
class _Slot:
    name: str
    env: Mapping[str, str]
    now: Incarnation | None = None
    wanted: bool = False
    count: int = 0


@dataclass(eq=False)
class Supervisor:
    """Keeps workers running. `env` are the settings that all have in common."""

    env: Mapping[str, str] = field(repr=False)
    folder: Path
    exits: list[Exit] = field(default_factory=list)
    incarnations: list[Incarnation] = field(default_factory=list)
    #: what is being done, to be noted with exits
    during: str = ""

    def __post_init__(self) -> None:
        self._slots: dict[str, _Slot] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()

    @property
    def names(self) -> list[str]:
        """Workers that are to run, in order of their names."""
        with self._lock:
            return sorted(slot.name for slot in self._slots.values() if slot.wanted)

    def create_topics(self, name: str, own: Mapping[str, str]) -> None:
        """Make a worker known, with settings of its own."""
        self._slots[name] = _Slot(name, own)

    def start(
        self,
        name: str,
        *arguments: str,
        may_exit: frozenset[int] | None = None,
        **settings: str,
    ) -> Incarnation:
        """Start a worker. `settings` and `arguments` hold for this process only, not when it is started again.

        `may_exit` are codes with which this process may end by itself.
        """
        with self._lock:
            slot = self._slots[name]
            assert slot.now is None or slot.now.exit is not None, f"{name} runs already"
            slot.wanted = True
            return self._spawn(slot, arguments, settings, may_exit)

    def running(self, name: str) -> Incarnation:
        """The worker's process that is alive, or was last."""
        with self._lock:
            now = self._slots[name].now
            assert now is not None
            return now

    def stop(self, name: str) -> Exit:
        """Ask a worker to stop and wait for its end; it is killed when it takes longer than a minute."""
        with self._lock:
            slot = self._slots[name]
            slot.wanted = False
            now = slot.now
            assert now is not None
            # One that has not yet said anything is still being loaded, and has nothing to finish.
            now.may_exit = frozenset({0} if now.log.stat().st_size else {0, -signal.SIGTERM})
            if now.exit is None:
                now.process.terminate()
        end = time.monotonic() + STOP_S
        while now.exit is None and time.monotonic() < end:
            time.sleep(_LOOK_EVERY_S)
        if now.exit is None:
            now.process.kill()
            while now.exit is None:
                time.sleep(_LOOK_EVERY_S)
        return now.exit

    def restart(
        self, name: str, *arguments: str, may_exit: frozenset[int] | None = None, **settings: str
    ) -> Incarnation:
        """Stop a worker in an orderly way and start it with other settings."""
        self.stop(name)
        return self.start(name, *arguments, may_exit=may_exit, **settings)

    def kill(self, name: str) -> Exit:
        """SIGKILL; returns once it is dead. It is started again at once."""
        with self._lock:
            now = self.running(name)
            now.may_exit = frozenset({-signal.SIGKILL})
            now.process.kill()
        while now.exit is None:
            time.sleep(_LOOK_EVERY_S / 2)
        return now.exit

    def close(self) -> None:
        """End all that still runs."""
        self._over.set()
        self._thread.join(10)
        for slot in self._slots.values():
            if slot.now is not None and slot.now.exit is None:
                slot.now.process.send_signal(signal.SIGCONT)
                slot.now.process.kill()
                slot.now.process.wait()

    def _spawn(
        self, slot: _Slot, arguments: tuple[str, ...], settings: Mapping[str, str], may_exit: frozenset[int] | None
    ) -> Incarnation:
        slot.count += 1
        log = self.folder / f"{slot.name}-{slot.count:03}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "worker", *arguments],
                env={**self.env, **slot.env, "PIPELINE_INSTANCE": slot.name, **settings},
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        slot.now = Incarnation(slot.name, process, log, may_exit)
        self.incarnations.append(slot.now)
        return slot.now

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            with self._lock:
                for slot in self._slots.values():
                    if slot.now is not None and slot.now.exit is None:
                        self._look(slot, slot.now)

    def _look(self, slot: _Slot, now: Incarnation) -> None:
        code = now.process.poll()
        if code is None:
            return
        now.exit = Exit(
            worker=slot.name, code=code, at=time.time(), asked=now.may_exit, during=self.during, log=now.log
        )
        self.exits.append(now.exit)
        if slot.wanted:
            self._spawn(slot, (), {}, None)
