"""Prints what a fit of the churn model found, for people, and how it foretold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from pipeline.cli import formatting
from pipeline.cli.output import Column, print_table

_PARAMETERS = ("r", "alpha", "a", "b")
_FIGURE_COLUMNS = [Column(name, right=True) for name in ("AUC", "Brier", "calibration error", "intercept", "slope")]
_FIGURES = ("auc", "brier", "calibration_error", "intercept", "slope")


def print_churn(report: Mapping[str, Any], unit: str) -> None:
    """Print parameters with standard errors, and the validation beside what it has to beat."""
    forms = report["forms"]
    by_visits = [each for each in forms.values() if each["fitted"].get("covariates") is None]
    final = forms[report["best"]]["fitted"]
    click.echo(
        f"{final['customers']:,} customers with {final['repeat_visits']:,} repeat visits, "
        f"{report['first'][:10]} to {report['until'][:10]}"
    )
    parameters = [Column(name, right=True) for name in ("r ±", f"α ({unit}s) ±", "a ±", "b ±", "log-likelihood")]
    print_table(
        [Column("fitted"), *parameters],
        [[each["name"], *_parameters(each["fitted"])] for each in by_visits],
    )
    click.echo(
        f"\nValidation: learned from visits until {report['learned_until'][:10]}, foretold who came in the "
        f"{report['horizon_days']} days after ({report['baseline']['base_rate']:.1%} did)"
    )
    print_table(
        [Column("learned"), *parameters],
        [[each["name"], *_parameters(each["learned"])] for each in by_visits],
    )
    rows = [[each["name"], *_figures(each["validation"])] for each in forms.values()]
    if report["active"] is not None:
        rows.append([f"active: {report['active']['version']}", *_figures(report["active"]["validation"])])
    baseline = report["baseline"]
    rows.append(["recency alone", _figure(baseline["recency_auc"]), "", "", "", ""])
    rows.append(_base_rate(baseline))
    print_table([Column("foretold by"), *_FIGURE_COLUMNS], rows)
    _print_covariates([each for each in forms.values() if each["fitted"].get("covariates") is not None])
    if report["spend"] is not None:
        _print_spend(report["spend"])
    if report.get("value") is not None:  # not in fits of earlier versions
        _print_value(report["value"], report["horizon_days"])
    click.echo(f"\nBest by Brier score: {forms[report['best']]['name']}. 95 % intervals are of customers drawn anew.")


def print_foretold_visits(name: str, checked: Mapping[str, Any]) -> None:
    """Print how a version has foretold visits lately, beside how it did when it was fitted, and the base rate."""
    click.echo(
        f"{name}: foretold on {checked['learned_until'][:10]} who came in the "
        f"{checked['horizon_days']} days after ({checked['baseline']['base_rate']:.1%} did)"
    )
    rows = [["now", *_figures(checked["validation"])]]
    if checked["then"] is not None:
        rows.append(["when it was fitted", *_figures(checked["then"])])
    rows.append(_base_rate(checked["baseline"]))
    print_table([Column(""), *_FIGURE_COLUMNS], rows)


def _print_covariates(forms: Sequence[Mapping[str, Any]]) -> None:
    if not forms:
        return
    errors = [each["fitted"]["covariates"]["errors"] for each in forms]
    names = tuple([name for name in errors[0] if any(each[name] is not None for each in errors)])
    click.echo("\nBeyond visits, on the logit of not coming")
    print_table(
        [Column("fitted"), *[Column(f"{name} ±", right=True) for name in names]],
        [[each["name"], *_with_errors(each["fitted"]["covariates"], names)] for each in forms],
    )


def _print_spend(spend: Mapping[str, Any]) -> None:
    currency = spend.get("currency")
    what = "Amounts at repeat visits" if currency is None else f"Purchases in {currency}, in its smallest unit,"
    click.echo(f"\n{what} of {spend['customers']:,} customers")
    print_table(
        [Column("fitted"), *[Column(name, right=True) for name in ("p ±", "q ±", "γ ±", "log-likelihood")]],
        [["gamma-gamma", *_with_errors(spend, tuple(spend["parameters"])), f"{spend['log_likelihood']:,.2f}"]],
    )


def _print_value(value: Mapping[str, Any], horizon_days: int) -> None:
    currency = value["currency"]

    def money(amount: float) -> str:
        return f"{amount:,.2f}" if currency is None else formatting.amount(round(amount), currency)

    click.echo(
        f"\nValue at risk: {value['customers']:,} customers spent {money(value['spent'])} in the {horizon_days} days "
        "that were foretold"
    )
    rows = []
    for name, words in (("model", "value less what is at risk"), ("naive", "as much as so far, times the base rate")):
        error = value[name]["error"]
        mean = f"{money(error['value'])} ({money(error['low'])}–{money(error['high'])})"
        rows.append([words, _figure(value[name]["total"]), mean, _figure(value[name]["correlation"])])
    columns = [Column(name, right=True) for name in ("foretold ÷ spent", "mean error", "rank correlation")]
    print_table([Column("foretold by"), *columns], rows)


def _with_errors(fitted: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    values, errors = fitted["parameters"], fitted["errors"]
    return [f"{values[name]:.4f} {'?' if errors[name] is None else format(errors[name], '.4f')}" for name in names]


def _parameters(fitted: Mapping[str, Any]) -> list[str]:
    return [*_with_errors(fitted, _PARAMETERS), f"{fitted['log_likelihood']:,.2f}"]


def _figures(validation: Mapping[str, Any]) -> list[str]:
    return [_figure(validation[name]) for name in _FIGURES]


def _base_rate(baseline: Mapping[str, Any]) -> list[str]:
    return ["base rate", "0.500", f"{baseline['base_rate_brier']:.3f}", "0.000", "", ""]


def _figure(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"
