"""Faust's step between a rebalance and the first record, in which partitions are taken."""

from __future__ import annotations

from typing import Any

from faust.tables import TableManager
from faust.tables.recovery import Recovery


class UnboundedRecovery(Recovery):  # type: ignore[misc]
    """Waits until partitions are taken, however long that takes; taking them gives up by itself.

    Faust waits for `broker_request_timeout`. If taking them takes longer because a server is away, Faust cancels it,
    concludes that it was told to stop, and never seeks or reads again: the worker stands still and stays a member of
    its group.
    """

    async def _wait(self, coro: Any, timeout: Any = None) -> None:
        await super()._wait(coro)


class UnboundedTableManager(TableManager):  # type: ignore[misc]
    """Faust's table manager, which exists without tables, too, with `UnboundedRecovery`."""

    _recovery: UnboundedRecovery | None = None

    @property
    def recovery(self) -> UnboundedRecovery:
        """Return the one recovery service."""
        if self._recovery is None:
            self._recovery = UnboundedRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
