"""`pipeline quarantine`: looking at refused records, and settling them."""

from __future__ import annotations

import click

from pipeline.cli.quarantine.discarding import discard
from pipeline.cli.quarantine.listing import list_
from pipeline.cli.quarantine.replaying import replay
from pipeline.cli.quarantine.showing import show


@click.group()
def quarantine() -> None:
    """List, show, replay and discard refused records.

    A record goes by the partition and offset of touchpoints.v1 at which it was refused: PARTITION/OFFSET.
    """


for command in (list_, show, replay, discard):
    quarantine.add_command(command)
