"""Failpoints: named places at which tests kill or stop a worker, to show that nothing is lost.

The setting PIPELINE_FAILPOINT is `NAME[:NTH[:ACTION]]`: the NTH time (from 1) that the worker reaches the place NAME,
it sends itself SIGKILL (ACTION `kill`, the default) or SIGSTOP (`stop`), or its event loop hangs (`hang`). Without the
setting, a place costs a call.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from pipeline.errors import InvalidInput

#: Called with the name of a place.
Reached = Callable[[str], None]

#: name → where it is
PLACES = {
    "taking": "a partition's epoch is raised, and what its last owner left is not yet published",
    "before_commit": "a batch is made, and its transaction not yet begun",
    "after_commit": "a batch is committed, and nothing of it published",
    "before_publish": "a Kafka transaction is begun, and nothing is in it",
    "while_publishing": "records are in a Kafka transaction that is not committed",
    "after_publish": "a Kafka transaction is committed, and the ledger does not know",
    "forwarding": "as while_publishing, with a record under way to another partition",
    "exchanging": "as while_publishing, with a record of the exchange topic for another partition",
    "receiving": "messages of other partitions are worked on, and nothing of it is committed",
    "delivering": "what a partition tells others of the worker directly is committed, and not yet delivered",
    "restating": "a part of what is to be restated is committed, and the rest of it waits",
    "before_ack": "a slice is done, and its offset not acknowledged to Kafka",
    "after_ack": "a slice's offset is acknowledged, and not yet committed to Kafka",
}
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_ACTIONS = (*_SIGNALS, "hang")
#: Seconds that an event loop hangs.
_HANG_S = 3600.0


def failpoint(setting: str | None) -> Reached:
    """Return the function to call at each place. Raises InvalidInput for a setting that cannot be read."""
    if not setting:
        return _nothing
    name, _, rest = setting.partition(":")
    nth, _, action = rest.partition(":")
    if name not in PLACES or not (nth or "1").isdecimal() or int(nth or 1) < 1 or (action or "kill") not in _ACTIONS:
        raise InvalidInput(
            f"PIPELINE_FAILPOINT={setting!r} can't be read; it takes NAME[:NTH[:ACTION]] with a NAME of "
            f"{', '.join(PLACES)}, NTH from 1, and ACTION {' or '.join(_ACTIONS)}."
        )
    left = int(nth or 1)

    def reached(place: str) -> None:
        nonlocal left
        if place == name:
            left -= 1
            if left == 0 and action == "hang":
                time.sleep(_HANG_S)
            elif left == 0:
                os.kill(os.getpid(), _SIGNALS[action or "kill"])

    return reached


def _nothing(_place: str) -> None:
    pass
