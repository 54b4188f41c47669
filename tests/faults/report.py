"""A run's report, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isinf

from faults import plan
from faults.gate import Outcome
from faults.recovery import summed

GOAL_MEDIAN_S, GOAL_WORST_S = 5.0, 15.0
_SHOWN = 5
_SERVERS = ("broker_crash", "database_restart", "database_crash", "registry_away")


def report(outcome: Outcome) -> str:
    """What was done, what recovery took, what holds."""
    parts = [
        f"# Fault gate: {'all invariants hold' if outcome.holds else 'VIOLATED'}",
        _facts(outcome),
        "## Faults",
        _faults(outcome),
        "## Recovery, in seconds",
        _recovery(outcome),
        "## Invariants",
        _invariants(outcome),
        "## Ends of workers",
        _exits(outcome),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(outcome: Outcome) -> str:
    sent = ", ".join(f"{name.replace('_', ' ')} {times:,}" for name, times in sorted(outcome.sent.items()))
    return _table(
        ("", ""),
        [
            ("seed", str(outcome.seed)),
            ("actions", str(len(outcome.actions))),
            ("records accepted", f"{outcome.accepted:,}"),
            ("made as", sent),
            ("records in touchpoints.v1, with those sent on", f"{outcome.records:,}"),
            ("revisions on journeys.v1", f"{outcome.revisions:,}"),
            ("duration", f"{outcome.seconds / 60:.1f} min"),
        ],
    )


def _faults(outcome: Outcome) -> str:
    planned = Counter(action.kind for action in outcome.actions)
    rows = [(_words(kind), str(times), str(outcome.injected[kind])) for kind, times in sorted(planned.items())]
    kills = sum(times for kind, times in outcome.injected.items() if kind.startswith("kill_"))
    return (
        _table(("fault", "planned", "injected"), rows)
        + f"\n\n{kills} workers killed (`kill all` kills two). A full disk is simulated: a trigger raises its error."
    )


def _recovery(outcome: Outcome) -> str:
    kills = [took for cause, found in outcome.recoveries.items() if cause.startswith("kill_") for took in found]
    groups = {"all kills": kills} | {
        f"{_words(cause)}{' (from its answering again)' if cause in _SERVERS else ''}": found
        for cause, found in sorted(outcome.recoveries.items())
    }
    rows = []
    for cause, found in groups.items():
        if (sums := summed(found)) is not None:
            met = sums.median < GOAL_MEDIAN_S and sums.worst < GOAL_WORST_S
            figures = (_seconds(sums.median), _seconds(sums.p90), _seconds(sums.worst))
            rows.append((cause, str(sums.count), *figures, "met" if met else "missed"))
    goal = f"goal: median under {GOAL_MEDIAN_S:.0f}, worst under {GOAL_WORST_S:.0f}"
    return _table(("after", "times", "median", "90 %", "worst", goal), rows)


def _invariants(outcome: Outcome) -> str:
    lines = []
    for title, wrong in outcome.violations.items():
        lines.append(f"- {'VIOLATED' if wrong else 'ok'}: {title}{f' ({len(wrong):,} times)' if wrong else ''}")
        lines += [f"  - {each}" for each in wrong[:_SHOWN]]
    return "\n".join(lines)


def _exits(outcome: Outcome) -> str:
    counts: dict[tuple[str, bool], int] = {}
    for each in outcome.exits:
        how = f"signal {-each.code}" if each.code < 0 else f"code {each.code}"
        counts[how, each.explained] = counts.get((how, each.explained), 0) + 1
    return _table(
        ("how", "asked for", "times"),
        [(how, "yes" if explained else "NO", str(times)) for (how, explained), times in sorted(counts.items())],
    )


def _words(kind: str) -> str:
    return kind.replace("_", " ") if kind in plan.EACH else f"kill: {kind.removeprefix('kill_').replace('_', ' ')}"


def _seconds(value: float) -> str:
    return "never" if isinf(value) else f"{value:.1f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
