"""Prints what checks of models found, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pipeline.cli.models.expected_report import CALIBRATION, calibration_cells
from pipeline.cli.models.report import print_foretold_visits
from pipeline.cli.models.satisfaction_report import figures
from pipeline.cli.output import Column, print_table
from pipeline.scores.churn.model import ChurnModel


def print_check(checked: Mapping[str, Any]) -> None:
    """Print how a version has foretold lately, beside how it did when it was fitted; or why that can't be told."""
    name = checked["model"] if checked["version"] is None else f"{checked['model']} {checked['version']}"
    if "why_not" in checked:
        click.echo(f"{name} can't be checked. {checked['why_not']}")
        return
    if checked["model"] == ChurnModel.NAME:
        print_foretold_visits(name, checked)
    else:
        _print_foretold_answers(name, checked)
    if checked["drift"] is not None:
        click.echo()
        drift = [[name, f"{index:.3f}"] for name, index in checked["drift"].items()]
        print_table([Column("input"), Column("stability index", right=True)], drift)
    click.echo()
    for line in checked["findings"] or ["It holds."]:
        click.echo(line)


def _print_foretold_answers(name: str, checked: Mapping[str, Any]) -> None:
    click.echo(
        f"{name}: foretold {checked['answers']:,} answers, {checked['since'][:10]} to {checked['until'][:10]}, none of "
        "which it was fitted to"
    )
    usual, then = "what the touchpoint usually gets", checked["then"]
    given = [("now", checked, "validation", "calibration"), (usual, checked, "usual", "usual_calibration")]
    if then is not None:
        given += [("when it was fitted", then, "validation", "calibration")]
        given += [(f"{usual}, then", then, "usual", "usual_calibration")]
    is_calibrated = "calibration" in checked
    rows = [
        [words, *figures(of[validation]), *(calibration_cells(of[calibration]) if is_calibrated else ())]
        for words, of, validation, calibration in given
        if of[validation] is not None  # not in fits of earlier versions
    ]
    titles = ["mean error", "rank correlation", *(CALIBRATION if is_calibrated else ())]
    print_table([Column("foretold by"), *[Column(title, right=True) for title in titles]], rows)
