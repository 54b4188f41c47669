"""`pipeline identity`: who a key is, how it is known, and corrections."""

from __future__ import annotations

import click

from pipeline.cli.identity.correcting import end, merge, retract, split
from pipeline.cli.identity.showing import links, shared, show


@click.group()
def identity() -> None:
    """Show who a key is and how it is known, and correct it.

    A key is customer:ID, email:ADDRESS, anonymous:ID and so on; see docs/identity.md. Corrections are published as
    events, and can be taken back by `retract`.
    """


for command in (show, links, shared, merge, split, retract, end):
    identity.add_command(command)
