"""Many inputs through a target in a process of its own, which is watched: none may crash, hang or eat memory."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from random import Random

import psutil
from fuzz.box import Box
from fuzz.target import Target, must

#: A process that wants more address space than this gets a MemoryError.
ADDRESS_SPACE = 2 * 1024**3
#: What an input may take: so much, and so much more for each of its bytes.
MEMORY, MEMORY_PER_BYTE = 24 * 1024**2, 300
CPU_S, CPU_S_PER_BYTE = 2.0, 2e-6
#: The first inputs fill caches and tables; memory is looked at from here on.
_WARM = 500
_LOOK_EVERY_S = 0.1


@dataclass
class Result:
    """What a run found."""

    inputs: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    slowest_s: float = 0.0
    slowest_bytes: int = 0
    #: By how much the process's peak rose after the first inputs, and through the one that raised it most.
    memory_grown: int = 0
    memory_of_one: int = 0
    failure: str = ""
    failing: bytes = b""
    number: int = 0


def run(place: str, inputs: int, seed: int) -> Result:
    """Inputs 1 to `inputs` of a seed, up to the first that fails; for `place` see `target`."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        box, told = Box(Path(folder, "box")), Path(folder, "result")
        child = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "fuzz.run", place, str(inputs), str(seed), folder],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        try:
            slow = _watch(child, box)
        finally:
            child.kill()
            code = child.wait()
        if told.exists() and not slow:
            record = json.loads(told.read_text())
            return Result(**record | {"failing": bytes.fromhex(record["failing"])})
        failure = slow or f"the process ended with {code}"
        return Result(inputs=box.number, failure=failure, failing=box.data, number=box.number)


def _watch(child: subprocess.Popen[bytes], box: Box) -> str:
    """Wait for the end; what is wrong when one input takes too long, by the processor's time, not the clock's."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(child.pid)
        number, since = 0, 0.0
        while child.poll() is None:
            used = sum(process.cpu_times()[:2])
            if box.number != number:
                number, since = box.number, used
            elif number and used - since > (allowed := CPU_S + CPU_S_PER_BYTE * len(box.data)):
                return f"it takes more than {allowed:.1f} s of processor time"
            time.sleep(_LOOK_EVERY_S)
    return ""


def _child(place: str, inputs: int, seed: int, folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    box, result, outcomes, random = Box(folder / "box"), Result(), Counter[str](), Random()
    with target(place) as taker:
        first = peak = _peak()
        for number in range(1, inputs + 1):
            random.seed(seed * 2**32 + number)
            data = taker.make(random)
            box.put(number, data)
            before = time.process_time()
            try:
                outcomes[taker.take(data)] += 1
                used, now = time.process_time() - before, _peak()
                if number > _WARM:
                    must(now - peak <= MEMORY + MEMORY_PER_BYTE * len(data), f"it takes {now - peak:,} bytes of memory")
                    result.memory_of_one = max(result.memory_of_one, now - peak)
                else:
                    first = now
                peak = now
            except Exception:
                result.failure, result.failing, result.number = traceback.format_exc(), data, number
                break
            result.inputs = number
            if used > result.slowest_s:
                result.slowest_s, result.slowest_bytes = used, len(data)
    result.outcomes, result.memory_grown = dict(outcomes.most_common()), peak - first
    (folder / "result").write_text(json.dumps(asdict(result) | {"failing": result.failing.hex()}))


def _peak() -> int:
    """Bytes. What Linux gives as ru_maxrss can be that of the process which started this one."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024  # type: ignore[index]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def target(place: str) -> AbstractContextManager[Target]:
    """A target by its place, `module:function`, where the function gives a context."""
    module, _, name = place.partition(":")
    found: AbstractContextManager[Target] = getattr(import_module(module), name)()
    return found


if __name__ == "__main__":
    _child(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
