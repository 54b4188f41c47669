"""`pipeline topic`: what is on the topics is looked at, and put right."""

from __future__ import annotations

import click

from pipeline.cli.topic.finding import find
from pipeline.cli.topic.republishing import republish
from pipeline.cli.topic.showing import show


@click.group()
def topic() -> None:
    """Show and find records of touchpoints.v1, and publish journeys anew.

    A record is named by its partition and offset: PARTITION/OFFSET.
    """


for command in (show, find, republish):
    topic.add_command(command)
