"""`make drill`: faults over real servers and workers, watched by a real Prometheus with the rules in deploy/.

DRILL names faults to be run, by parts of their names, with commas; all by default. Progress goes to standard error, the
report to standard output. Needs `prometheus` (Debian: apt-get install prometheus).
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from drill.faults import FAULTS
from drill.report import report
from drill.run import drill
from pipeline.local.stack import Stack


def main() -> int:
    """Exit code 0 when every alert came and went as it should, 1 when not, 2 when the drill can't be run."""
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 0 if sys.argv[1:] == ["--help"] else 2
    if shutil.which("prometheus") is None:
        print("The drill needs prometheus, which is not installed (apt-get install prometheus).", file=sys.stderr)
        return 2
    wanted = [part.strip() for part in os.environ.get("DRILL", "").split(",") if part.strip()]
    chosen = [fault for fault in FAULTS if not wanted or any(part in fault.name for part in wanted)]
    if not chosen:
        print(f"DRILL names no fault; there are {', '.join(fault.name for fault in FAULTS)}.", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="pipeline-drill-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    stack = Stack(folder / "stack")
    is_good = False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all that was started is ended
    try:
        (folder / "stack").mkdir(mode=0o711)
        stack.up()
        print(f"{len(chosen)} faults; logs are in {folder}", file=sys.stderr)
        outcome = drill(stack, folder, chosen, say=lambda line: print(line, file=sys.stderr, flush=True))
        print(report(outcome))
        is_good = outcome.is_good
    finally:
        stack.down(delete=True)
        if is_good:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
