from pathlib import Path

import pytest

from pipeline.local.state import State


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    state = State(tmp_path / "state.json")
    state.keep_ports({"kafka": 20_001})
    state.keep_ports({"registry": 20_002})
    state.keep_pid("kafka", 7)
    state.keep_pid("registry", 8)
    state.keep_pid("registry", None)
    state.keep_place("postgres", Path("/elsewhere"))
    again = State(tmp_path / "state.json")
    assert again.ports == {"kafka": 20_001, "registry": 20_002}
    assert again.pids == {"kafka": 7}
    assert again.places == {"postgres": "/elsewhere"}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 99, "ports": {"kafka": 1}}', '{"version": 1, "ports": 3, "pids": {"a": "b"}}']
)
def test_a_file_that_makes_no_sense_counts_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    state = State(tmp_path / "state.json")
    assert (state.ports, state.pids, state.places) == ({}, {}, {})


def test_nothing_is_written_after_the_folder_was_removed(tmp_path: Path) -> None:
    State(tmp_path / "gone" / "state.json").keep_pid("kafka", 7)
    assert not (tmp_path / "gone").exists()
