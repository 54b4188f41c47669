"""The report of a drill, as Markdown."""

from __future__ import annotations

import json

from drill.run import Outcome, Result


def report(outcome: Outcome) -> str:
    """Return the report."""
    lines = [
        "| fault | alerts, and seconds until they fired | seconds until they ended, after the fault did | /readyz |",
        "| --- | --- | --- | --- |",
        *[_row(result) for result in outcome.results],
        "",
        f"{outcome.lines:,} log lines of workers and audit; {outcome.broken_lines:,} of them are no JSON.",
        f"Panels without data: {', '.join(outcome.dead) or 'none'}.",
    ]
    if outcome.unchecked:
        lines.append(f"Panels not checked, without their exporter or a checked model: {len(outcome.unchecked)}.")
    for result in outcome.results:
        if result.wrong:
            lines += ["", f"**{result.fault.name}**: {'; '.join(result.wrong)}"]
            lines += [f"    {line[:300]}" for line in result.logged]
    return "\n".join(lines)


def _row(result: Result) -> str:
    fired = _in_order(result.fired)
    ended = ", ".join(
        f"{name} {after:.0f}" for name, after in sorted(result.resolved.items(), key=lambda each: each[1])
    )
    said = "; ".join(dict.fromkeys(text[:120] for text in result.readyz))
    return f"| {result.fault.name} | {fired or 'none'} | {ended} | {json.dumps(said, ensure_ascii=False)[1:-1]} |"


def _in_order(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {after:.0f}" for name, after in sorted(seconds.items(), key=lambda each: each[1]))
