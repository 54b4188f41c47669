"""`pipeline fit`: models on the company's own history."""

from __future__ import annotations

import click

from pipeline.cli.fit.churn import churn
from pipeline.cli.fit.satisfaction import satisfaction


@click.group()
def fit() -> None:
    """Fit a model on the company's own history, and validate it on what came afterwards; see docs/models.md.

    What is fitted becomes a new version in the table `model`. Scores are made with it once it is activated.
    """


fit.add_command(churn)
fit.add_command(satisfaction)
