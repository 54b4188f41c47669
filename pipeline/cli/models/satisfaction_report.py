"""Prints what a fit of the satisfaction model found, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pipeline.cli.output import Column, print_table
from pipeline.scores.satisfaction.model import TOUCHPOINT_MEAN

#: Number of touchpoints shown.
_SHOWN = 20

#: What each prediction of the report is, in words.
_PREDICTIONS = {
    "validation": "fitted",
    "score": "the customer's score, whatever the touchpoint",
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
    rows = [[words, *figures(report[name])] for name, words in _PREDICTIONS.items() if name in report]
    if report["active"] is not None:
        rows.insert(1, [f"active: {report['active']['version']}", *figures(report["active"]["validation"])])
    print_table([Column("foretold by"), Column("mean error", right=True), Column("rank correlation", right=True)], rows)
    _print_touchpoints(report)
    _print_peak_end(report.get("peak_end"))
    if report["best_half_life_days"] != prior["half_life_days"]:
        click.echo(
            f"\nA half-life of {report['best_half_life_days']:g} days foretells answers best; --half-life best takes "
            "it, and the tables have to be rebuilt then."
        )


def _print_touchpoints(report: Mapping[str, Any]) -> None:
    if "touchpoint_errors" not in report:  # fitted by an earlier version
        return
    errors, parameters = report["touchpoint_errors"], report["parameters"]
    if not errors:
        click.echo("\nTouchpoints do not differ beyond chance: the prior mean holds for all of them.")
        return
    click.echo(f"\nWhat touchpoints usually get; they differ by {report['touchpoint_spread']:.1f} points")
    known = [(parameters[TOUCHPOINT_MEAN + name], name) for name in errors if TOUCHPOINT_MEAN + name in parameters]
    print_table(
        [Column("touchpoint"), Column("mean", right=True), Column("standard error", right=True)],
        [[name, f"{mean:.1f}", f"{errors[name]:.1f}"] for mean, name in sorted(known)[:_SHOWN]],
    )
    if len(known) > _SHOWN:
        click.echo(f"The {_SHOWN} lowest of {len(known)}; `--json` has all.")


def _print_peak_end(found: Mapping[str, Any] | None) -> None:
    if found is None:
        return
    weights, errors, apart = found["weights"], found["errors"], found["difference"]
    shown = ", ".join([f"{name} {weights[name]:+.2f} ± {errors[name]:.2f}" for name in ("worst", "last")])
    click.echo(
        f"\nPeak and end (weights of the worst and the last of five answers: {shown}) would change the mean error by "
        f"{apart['value']:+.2f} ({apart['low']:+.2f} to {apart['high']:+.2f}) points. It is not part of the score."
    )


def figures(validation: Mapping[str, Any]) -> list[str]:
    """Return mean error and rank correlation, with their intervals."""
    return [_figure(validation["error"], 1), _figure(validation["correlation"], 2)]


def _figure(figure: Mapping[str, float | None], digits: int) -> str:
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None or low is None or high is None:
        return ""
    return f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
