"""Checking the active models in a process of its own, so that neither its memory nor its work is the worker's."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec

import orjson

from pipeline.processing.model_monitor import Checked

#: Of the priorities that a process can have, the lowest: a check waits for everything else.
_NICEST = 19
_COMMAND = ("-m", "pipeline", "models", "check", "--json")


def can_check() -> bool:
    """Return whether what checking needs is installed."""
    return find_spec("scipy") is not None


async def check_models(environment: Mapping[str, str]) -> Checked:
    """Run `pipeline models check`; a check that is under way ends when this is cancelled."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *_COMMAND,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=lambda: os.nice(_NICEST),
    )
    try:
        said, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode in (0, 1) and said:
        return Checked(orjson.loads(said))
    lines = errors.decode(errors="replace").strip().splitlines()
    return Checked((), lines[-1] if lines else f"it ended with exit code {process.returncode}")
