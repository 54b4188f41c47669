"""Faust's step between a rebalance and the first record, which is where partitions are taken."""

from __future__ import annotations

from typing import Any

from faust.tables import TableManager
from faust.tables.recovery import Recovery


class PatientRecovery(Recovery):  # type: ignore[misc]
    """Takes partitions for as long as that takes; who takes them gives up by itself.

    Faust waits for `broker_request_timeout`. What takes longer, since a server is away, it cancels, believes that it
    was told to stop, and never seeks or reads again: the worker stands still while it goes on as a member of its group.
    """

    async def _wait(self, coro: Any, timeout: Any = None) -> None:
        await super()._wait(coro)


class PatientTables(TableManager):  # type: ignore[misc]
    """Faust's table manager, which there is without tables, too, with `PatientRecovery`."""

    _recovery: PatientRecovery | None = None

    @property
    def recovery(self) -> PatientRecovery:
        """The one recovery service."""
        if self._recovery is None:
            self._recovery = PatientRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
