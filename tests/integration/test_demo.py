"""The demonstration, on a stack of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stacks import private_stack


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with private_stack("pipeline-demo-") as stack:
        yield stack.layout.folder


def demo(folder: Path, *arguments: str) -> str:
    """A small demonstration's standard output."""
    command = [sys.executable, "-m", "pipeline", "demo", "--folder", str(folder), "--customers", "150"]
    done = subprocess.run([*command, "--events", "6000", *arguments], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def check_joined(joined: dict[str, Any]) -> None:
    """No two channels of the journey used the same key, and there is evidence for each key but the customer's own."""
    channels = defaultdict(set)
    for each in joined["steps"]:
        channels[each["key"]].add(each["step"]["channel"])
        owners = [link["owner"] for link in each["evidence"]]
        assert owners[-1:] == ([] if each["key"] == joined["customer"] else [joined["customer"]])
        assert all(link["event_id"] and link["source"] and link["at"] for link in each["evidence"])
    assert all(len(each) == 1 for each in channels.values())
    assert len(set().union(*channels.values())) == len(joined["journey"]["channels"]) >= 3


def test_the_demonstration_shows_how_a_journey_was_joined_and_another_run_adds_to_it(folder: Path) -> None:
    found = json.loads(demo(folder, "--json"))
    assert found["totals"]["processed"] > 5_000
    assert found["totals"]["quarantined"] == len(found["refused"]) == 3
    assert found["identity"]["joined"] > 200
    assert found["identity"]["merged"] > 0
    assert found["identity"]["shared"] > 0
    check_joined(found["joined"])

    said = demo(folder)
    assert "no two of which used the same key: customer:2-" in said
    assert "named it with the customer" in said
    assert "shared keys kept apart" in said
    assert " identity show " in said
