import json
from pathlib import Path

from click.testing import CliRunner

from pipeline.cli.stack import down, status


def test_status_where_nothing_was_ever_started_is_a_table_and_exits_1(tmp_path: Path) -> None:
    done = CliRunner().invoke(status, ["--folder", str(tmp_path)])
    assert done.exit_code == 1
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        ["kafka", "stopped"],
        ["registry", "stopped"],
        ["postgres", "stopped"],
    ]
    assert list(tmp_path.iterdir()) == []


def test_status_as_json_says_what_is_not_there_as_null(tmp_path: Path) -> None:
    done = CliRunner().invoke(status, ["--json", "--folder", str(tmp_path)])
    assert done.exit_code == 1
    kafka = json.loads(done.stdout)[0]
    assert kafka == {
        "server": "kafka",
        "state": "stopped",
        "pid": None,
        "address": None,
        "since": None,
        "log": str(tmp_path.resolve() / ".pipeline" / "logs" / "kafka.log"),
    }


def test_down_where_nothing_runs_says_so_and_exits_0(tmp_path: Path) -> None:
    done = CliRunner().invoke(down, ["--folder", str(tmp_path)])
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "Nothing is running.\n")
