from pathlib import Path

from pipeline.local import logs


def test_a_large_log_is_set_aside_and_the_oldest_dropped(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    for number in range(6):
        log.write_text(str(number) * 10)
        logs.rotate(log, bytes_=9, kept=3)
    assert not log.exists()
    assert {p.name: p.read_text()[0] for p in tmp_path.iterdir()} == {
        "kafka.log.1": "5",
        "kafka.log.2": "4",
        "kafka.log.3": "3",
    }


def test_a_small_log_is_appended_to(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "kafka.log"
    for _ in range(2):
        with logs.opened(log, "Kafka") as file:
            file.write(b"line\n")
    assert [line.rpartition(" ")[2] for line in log.read_text().splitlines()] == ["Kafka", "line"] * 2


def test_the_tail_is_of_the_last_start_and_without_stack_frames(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text(
        "==== then: starting Kafka\nold\n==== now: starting Kafka\none\nException: why\n\tat kafka.Kafka.main\ntwo\n"
    )
    assert logs.tail(log, 2) == "  Exception: why\n  two"


def test_a_missing_log_has_a_tail_that_says_so(tmp_path: Path) -> None:
    assert "no log" in logs.tail(tmp_path / "none")
