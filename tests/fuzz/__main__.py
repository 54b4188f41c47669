"""`python -m fuzz`: many inputs from a seed, or a failing one again."""

from __future__ import annotations

import sys
import time
import zlib
from pathlib import Path

import click
from fuzz.run import Result, run, target

_SHOWN = 4_096
TARGETS = {"decoding": "fuzz.records:records", "slices": "fuzz.slices:slices", "publish": "fuzz.files:files"}


@click.command()
@click.argument("name", type=click.Choice(tuple(TARGETS)))
@click.option("--inputs", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--replay", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Try this one input.")
def main(name: str, inputs: int, seed: int, replay: Path | None) -> None:
    """Put arbitrary bytes through decoding (one by one with the core behind it, or in slices), or through publish."""
    if replay is not None:
        with target(TARGETS[name]) as taker:
            click.echo(taker.take(replay.read_bytes()))
        return
    began = time.monotonic()
    found = run(TARGETS[name], inputs, seed)
    _tell(name, found, seed, time.monotonic() - began)
    if found.failure:
        _tell_failure(name, found, seed)
        sys.exit(1)


def _tell(name: str, found: Result, seed: int, seconds: float) -> None:
    click.echo(f"{name}: {found.inputs:,} inputs of seed {seed} in {seconds:,.0f} s")
    for outcome, count in found.outcomes.items():
        click.echo(f"  {count:>11,}  {outcome}")
    click.echo(f"  slowest input   {found.slowest_s * 1000:,.0f} ms of processor time, {found.slowest_bytes:,} bytes")
    click.echo(
        f"  peak memory     grew by {found.memory_grown:,} bytes, {found.memory_of_one:,} with one input at most"
    )


def _tell_failure(name: str, found: Result, seed: int) -> None:
    file = Path("build", f"fuzz-{name}-{zlib.crc32(found.failing):08x}")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(found.failing)
    hexed = found.failing[:_SHOWN].hex()
    click.echo(f"Input {found.number:,} of seed {seed} fails: {found.failure}", err=True)
    click.echo(f"{hexed}{'…' if len(found.failing) > _SHOWN else ''} ({len(found.failing):,} bytes)", err=True)
    again = f"PYTHONPATH=tests .venv/bin/python -m fuzz {name}"
    click.echo(f"It is in {file}. Again: {again} --replay {file}", err=True)
    click.echo(f"With all before it: {again} --seed {seed} --inputs {found.number}", err=True)


if __name__ == "__main__":
    main(prog_name="python -m fuzz")
