import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.local import processes
from pipeline.local.processes import Launch

SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[psutil.Popen]:
    launch = Launch(argv=[sys.executable, "-c", SLEEP, f"mark={tmp_path}"], env=dict(os.environ), cwd=tmp_path)
    with (tmp_path / "log").open("ab") as log:
        process = processes.spawn(launch, log)
    # For a moment after the start of a program, the system does not show its arguments yet.
    assert processes.wait_until(lambda: launch.argv[-1] in process.cmdline(), 10)
    yield process
    process.kill()
    process.wait()


def test_a_process_is_found_by_its_mark_even_if_another_number_was_remembered(
    child: psutil.Popen, tmp_path: Path
) -> None:
    for remembered in (None, child.pid, os.getpid(), 1, 2**22 - 1):
        found = processes.find(f"mark={tmp_path}", remembered)
        assert found is not None
        assert found.pid == child.pid
    assert processes.find(f"mark={tmp_path}/other", child.pid) is None


def test_a_process_is_found_whose_number_another_one_had_before(child: psutil.Popen, tmp_path: Path) -> None:
    [seen] = [process for process in psutil.process_iter() if process.pid == child.pid]
    seen._create_time = 1.0
    seen._ident = (seen.pid, 1.0)  # of a process that was there before
    assert not seen.is_running()
    found = processes.find(f"mark={tmp_path}", None)
    assert found is not None
    assert found.pid == child.pid


def test_a_dead_process_is_not_found_before_it_is_reaped(child: psutil.Popen, tmp_path: Path) -> None:
    os.kill(child.pid, signal.SIGKILL)
    assert processes.wait_until(lambda: processes.find(f"mark={tmp_path}", child.pid) is None, 5)


def test_a_server_has_a_session_of_its_own(child: psutil.Popen) -> None:
    assert os.getsid(child.pid) == child.pid != os.getsid(0)


def test_a_working_folder_tells_whose_a_process_is(child: psutil.Popen, tmp_path: Path) -> None:
    assert [p.pid for p in processes.working_in(tmp_path)] == [child.pid]


def test_a_process_that_ignores_the_signal_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        assert not processes.end(psutil.Process(stubborn.pid), signal.SIGTERM, 0.2)
        assert stubborn.wait(5) == -signal.SIGKILL


def test_a_process_that_heeds_the_signal_ends_clean(child: psutil.Popen) -> None:
    assert processes.end(psutil.Process(child.pid), signal.SIGTERM, 5)
