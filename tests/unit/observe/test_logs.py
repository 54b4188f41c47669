"""Each line that a process writes is JSON, and says which version, instance and module it is of."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, threading, warnings
import structlog
from pipeline.observe import logs

logs.configure()
structlog.get_logger("pipeline.before").info("before the instance is known")
logs.set_instance("worker-1")
structlog.get_logger("pipeline.here").info("own", partition=3, offset=17)
logging.getLogger("aiokafka.conn").warning("of a library: %s", "away")
warnings.warn("deprecated")

def fail():
    raise ValueError("in a thread")

thread = threading.Thread(target=fail, name="lag")
thread.start()
thread.join()
try:
    raise KeyError("caught")
except KeyError:
    structlog.get_logger("pipeline.here").exception("with a traceback")
raise RuntimeError("the end")
"""


def test_all_lines_are_json_with_version_instance_and_logger() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"][:22] for line in lines] == [
        "before the instance is",
        "own",
        "of a library: away",
        lines[3]["event"][:22],
        "an exception that nobo",
        "with a traceback",
        "an exception that nobo",
    ]
    assert "deprecated" in lines[3]["event"]
    assert "in a thread" in lines[4]["exception"] and lines[4]["thread"] == "lag"
    assert "the end" in lines[6]["exception"]
    assert {line["logger"] for line in lines} == {
        "pipeline.before", "pipeline.here", "aiokafka.conn", "py.warnings", "pipeline.observe.logs"
    }  # fmt: skip
    assert all(line["version"] and line["level"] and line["timestamp"] for line in lines)
    assert [line.get("instance") for line in lines] == [None, *["worker-1"] * 6]
    assert done.returncode == 1
