"""`pipeline publish`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import click
import orjson

from pipeline import settings
from pipeline.channels.hashing import region
from pipeline.channels.reading import FORMATS, Line, format_of, opened
from pipeline.channels.sources import CHANNELS, Read, read, read_channel
from pipeline.cli.progress import progress
from pipeline.client.outgoing import Unpublishable, outgoing
from pipeline.contract.encode import Encoder
from pipeline.contract.reject import Rejected
from pipeline.contract.schema import schema_text
from pipeline.contract.validate import check
from pipeline.errors import InvalidInput
from pipeline.journey import policy
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Touchpoint

_NAMED = 10
_SHOW_EVERY = 500
Reader = Callable[[IO[bytes], str], Iterator[Read]]


class _Country(click.ParamType):
    name = "country"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return region(str(value))
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="Format of the files.  [default: by the extension; jsonl for standard input]",
)
@click.option(
    "--from", "channel", type=click.Choice(list(CHANNELS)), help="The files hold records in this channel's own format."
)
@click.option("--source", help="With --from: name of the emitting system.")
@click.option(
    "--country",
    type=_Country(),
    help="Country of phone numbers that are written without one: DE (ISO 3166), or its calling code, 49.",
)
@click.option("--rejects", type=click.Path(dir_okay=False), help="Write refused lines to this file, with the reason.")
@click.option("--dry-run", is_flag=True, help="Check everything and publish nothing; needs no servers.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.pass_context
def publish(
    context: click.Context,
    files: tuple[str, ...],
    format_name: str | None,
    channel: str | None,
    source: str | None,
    country: str | None,
    rejects: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Check touchpoints from FILES (JSON Lines or CSV, also .gz; - is standard input) and publish them.

    A bad line does not stop the others: it is reported with its file, number and reason, and the exit code is 2.
    """
    if source and not channel:
        raise click.UsageError("--source goes with --from; a touchpoint names its source itself.")
    if country and channel and not CHANNELS[channel].takes_country:
        raise click.UsageError(f"--country is for phone numbers; records of --from {channel} have none.")
    formats = [format_name or _format(name, channel) for name in files]
    reader: Reader = partial(read, country=country)
    if channel:
        reader = partial(read_channel, channel=CHANNELS[channel], source=source, country=country)
    for name, kind in zip(files, formats, strict=True):
        if kind != "jsonl" and Path(name).is_file():
            _look_at_header(name, kind, reader)
    begun = time.monotonic()
    with ExitStack() as stack:
        tally = _Tally(stack.enter_context(_rejects_file(rejects)) if rejects else None)
        nobody = _nobody()
        send = stack.enter_context(_checking(nobody) if dry_run else _publishing(nobody))
        show = stack.enter_context(progress("Publishing", _size(files), of_bytes=True))
        _run(files, formats, reader, partial(_send_all, send=send, nobody=nobody), tally, show)
    tally.finish()
    seconds = time.monotonic() - begun
    click.echo(_summary(tally, seconds, dry_run=dry_run, as_json=as_json))
    context.exit(2 if tally.rejected else 0)


Send = Callable[[Touchpoint], None]


@dataclass(slots=True)
class _Tally:
    """Counts lines, and reports refused ones."""

    rejects: IO[bytes] | None
    lines: int = 0
    touchpoints: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def refuse(self, name: str, line: Line, rejected: Rejected) -> None:
        self.rejected += 1
        self.reasons[rejected.reason] = self.reasons.get(rejected.reason, 0) + 1
        if self.rejected <= _NAMED:
            click.echo(f"{name}:{line.number}: {rejected.detail} ({rejected.reason})", err=True)
        if self.rejects is not None:
            record = {
                "file": name,
                "line": line.number,
                "reason": rejected.reason,
                "detail": rejected.detail,
                "text": line.raw.decode("utf-8", "replace").rstrip("\r\n"),
            }
            self.rejects.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    def finish(self) -> None:
        """Report how many refused lines were not shown."""
        if self.rejected > _NAMED:
            hint = "" if self.rejects is not None else "; --rejects FILE keeps them all"
            click.echo(f"… and {self.rejected - _NAMED:,} more lines refused{hint}", err=True)


def _run(
    files: Sequence[str],
    formats: Sequence[str],
    reader: Reader,
    send_all: Callable[[Sequence[Touchpoint]], Rejected | None],
    tally: _Tally,
    show: Callable[[int], None],
) -> None:
    before = 0
    for name, kind in zip(files, formats, strict=True):
        with opened(name) as (file, position):
            for line, result in _named(name, reader(file, kind)):
                tally.lines += 1
                rejected = result if isinstance(result, Rejected) else send_all(result)
                if rejected is not None:
                    tally.refuse(name, line, rejected)
                else:
                    tally.touchpoints += len(result)
                if tally.lines % _SHOW_EVERY == 0 and position.seekable():
                    show(before + position.tell())
        before += _size([name]) or 0


def _send_all(touchpoints: Sequence[Touchpoint], send: Send, nobody: Set[str]) -> Rejected | None:
    """Send a line's touchpoints: all, or none when one of them is refused."""
    if len(touchpoints) > 1:
        now_ms = _now_ms()
        for touchpoint in touchpoints:
            if (wrong := check(touchpoint, now_ms, nobody)) is not None:
                return wrong
    try:
        for touchpoint in touchpoints:
            send(touchpoint)
    except Unpublishable as refused:
        return refused.rejected
    return None


def _named(name: str, reads: Iterator[Read]) -> Iterator[Read]:
    """Yield the same; errors that concern the whole file name it."""
    try:
        yield from reads
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from None


def _look_at_header(name: str, kind: str, reader: Reader) -> None:
    """Raise InvalidInput for wrong columns now, before any file was published."""
    with opened(name) as (file, _):
        next(_named(name, reader(file, kind)), None)


def _nobody() -> Set[str]:
    """Return the values that name nobody by the policy file, if there is one; workers refuse what names nobody else."""
    file = settings.load(needs=()).policy_file
    return frozenset() if file is None else policy.read(file).identity.nobody


@contextmanager
def _publishing(nobody: Set[str]) -> Iterator[Send]:
    from pipeline.client.publisher import Publisher

    config = settings.load(needs=settings.PRODUCER)
    with Publisher(config.kafka, config.registry, nobody=nobody) as publisher:
        yield publisher.publish


@contextmanager
def _checking(nobody: Set[str]) -> Iterator[Send]:
    encoder = Encoder(0, schema_text(TOUCHPOINTS))

    def send(touchpoint: Touchpoint) -> None:
        outgoing(touchpoint, encoder, _now_ms(), nobody)

    yield send


def _rejects_file(name: str) -> AbstractContextManager[IO[bytes]]:
    try:
        # refused lines may hold personal data: only the owner may read them
        return os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as error:
        raise click.FileError(name, error.strerror or str(error)) from None


def _format(name: str, channel: str | None) -> str:
    told = format_of(name)
    if told is not None:
        return told
    if channel:
        return CHANNELS[channel].format
    if name == "-":
        return "jsonl"
    raise click.UsageError(f"{name} ends neither in .jsonl nor in .csv; say which it is with --format.")


def _size(files: Sequence[str]) -> int | None:
    """Return the size of all files in bytes; None if one of them is not a regular file."""
    paths = [Path(name) for name in files]
    return sum(path.stat().st_size for path in paths) if all(path.is_file() for path in paths) else None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _summary(tally: _Tally, seconds: float, *, dry_run: bool, as_json: bool) -> str:
    if as_json:
        record = {
            "lines": tally.lines,
            "touchpoints": tally.touchpoints,
            "rejected": tally.rejected,
            "reasons": tally.reasons,
            "dry_run": dry_run,
            "seconds": round(seconds, 3),
        }
        return orjson.dumps(record).decode()
    verb = "Checked" if dry_run else "Published"
    return f"{verb} {tally.touchpoints:,} touchpoints from {tally.lines:,} lines, {tally.rejected:,} of which refused."
