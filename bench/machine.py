"""Where and when something was measured."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

import psutil


def machine() -> dict[str, str]:
    """Processor, memory, system and Python in words, and today's date (UTC)."""
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = " ".join(found[1].split()) if found else platform.machine()
    cores, memory = os.cpu_count(), psutil.virtual_memory().total / 2**30
    words = f"{cores} cores of {processor}, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"
    return {"machine": words, "date": datetime.now(UTC).date().isoformat()}
