"""`pipeline quarantine`: refused records are shown and settled."""

from __future__ import annotations

import click

from pipeline.cli.quarantine.discarding import discard
from pipeline.cli.quarantine.listing import list_
from pipeline.cli.quarantine.replaying import replay
from pipeline.cli.quarantine.showing import show


@click.group()
def quarantine() -> None:
    """List, show, replay and discard refused records.

    A record is named by its partition and offset in touchpoints.v1: PARTITION/OFFSET.
    """


for command in (list_, show, replay, discard):
    quarantine.add_command(command)
