"""Prints what a fit of the satisfaction model found, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pipeline.cli.output import Column, print_table

#: What each prediction of the report is, in words.
_PREDICTIONS = {
    "validation": "fitted",
    "prior": "prior mean alone",
    "last": "the last answer",
    "usual": "what the touchpoint usually gets",
}


def print_satisfaction(report: Mapping[str, Any]) -> None:
    """Print the prior, and the validation beside what it has to beat."""
    prior = report["parameters"]
    click.echo(
        f"{report['answers']:,} answers of {report['customers']:,} customers, {report['first'][:10]} to "
        f"{report['until'][:10]}"
    )
    print_table(
        [Column(name, right=True) for name in ("prior mean", "prior weight", "scatter of answers", "half-life (days)")],
        [[f"{prior[name]:.2f}" for name in ("prior_mean", "prior_weight", "answer_sd", "half_life_days")]],
    )
    click.echo(
        f"\nValidation: learned from answers until {report['learned_until'][:10]}, foretold the {report['foretold']:,} "
        f"answers after that of customers who had answered before"
    )
    rows = [[words, *_figures(report[name])] for name, words in _PREDICTIONS.items()]
    if report["active"] is not None:
        rows.insert(1, [f"active: {report['active']['version']}", *_figures(report["active"]["validation"])])
    print_table([Column("foretold by"), Column("mean error", right=True), Column("rank correlation", right=True)], rows)
    if report["best_half_life_days"] != prior["half_life_days"]:
        click.echo(
            f"\nA half-life of {report['best_half_life_days']:g} days foretells answers best; --half-life best takes "
            "it, and the tables have to be rebuilt then."
        )


def _figures(validation: Mapping[str, Any]) -> list[str]:
    return [_figure(validation["error"], 1), _figure(validation["correlation"], 2)]


def _figure(figure: Mapping[str, float | None], digits: int) -> str:
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None or low is None or high is None:
        return ""
    return f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
