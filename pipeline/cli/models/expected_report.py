"""Prints what a fit of the expected satisfaction found, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pipeline.cli.models.satisfaction_report import figures
from pipeline.cli.output import Column, print_table
from pipeline.scores.satisfaction.contacts import Signals
from pipeline.scores.satisfaction.expected import COEFFICIENT

#: Titles of columns.
CALIBRATION = ("intercept", "slope", "calibration gap")


def print_expected(report: Mapping[str, Any]) -> None:
    """Print the coefficients, and the validation beside the touchpoint's mean."""
    parameters, errors = report["parameters"], report["errors"]
    click.echo(
        f"{report['answers']:,} answered contacts of {report['customers']:,} customers, {report['first'][:10]} to "
        f"{report['until'][:10]}"
    )
    print_table(
        [Column("signal"), Column("coefficient", right=True), Column("standard error", right=True)],
        [[name, f"{parameters[COEFFICIENT + name]:+.3f}", _number(errors[name], 3)] for name in Signals._fields],
    )
    click.echo(
        f"\nValidation: learned from answers until {report['learned_until'][:10]}, foretold the {report['foretold']:,} "
        "after that"
    )
    rows = [["signals", *figures(report["validation"]), *calibration_cells(report["calibration"])]]
    if report["active"] is not None:
        rows.append([f"active: {report['active']['version']}", *figures(report["active"]["validation"]), "", "", ""])
    rows.append(
        ["what the touchpoint usually gets", *figures(report["usual"]), *calibration_cells(report["usual_calibration"])]
    )
    print_table(
        [
            Column("foretold by"),
            *[Column(name, right=True) for name in ("mean error", "rank correlation", *CALIBRATION)],
        ],
        rows,
    )
    apart = report["difference"]
    click.echo(
        f"\nSignals change the mean error by {apart['value']:+.2f} ({_number(apart['low'], 2)} to "
        f"{_number(apart['high'], 2)}) points: "
        + ("a gain beyond chance." if report["has_skill"] else "no gain beyond chance, so nothing expected is shown.")
    )


def calibration_cells(found: Mapping[str, float | None]) -> list[str]:
    """Return the cells of CALIBRATION."""
    return [_number(found["intercept"], 2), _number(found["slope"], 2), _number(found["gap"], 1)]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
