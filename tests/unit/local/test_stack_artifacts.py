from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.local import artifacts, download
from pipeline.local.progress import Silent


def test_every_locked_file_has_a_name_of_its_own_and_a_hash() -> None:
    kafka, registry = artifacts.locked()
    names = [artifact.file_name for artifact in (*kafka, registry)]
    assert len(set(names)) == len(names)
    assert all(len(artifact.sha256) == 64 and artifact.size > 0 for artifact in (*kafka, registry))
    assert registry.file_name == "apicurio-registry-app-3.0.9-all.tar.gz"


def test_the_broker_and_its_clients_library_have_one_version() -> None:
    kafka, _ = artifacts.locked()
    ours = [a.coordinate for a in kafka if a.coordinate.startswith("org.apache.kafka:")]
    assert len({coordinate.rpartition(":")[2] for coordinate in ours}) == 1


def test_a_full_cache_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("downloaded")

    monkeypatch.setattr(artifacts, "download", fail)
    installed = artifacts.installed(tmp_path)
    for path in (*installed.kafka_jars, installed.registry_jar):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert artifacts.install(Silent(), tmp_path) == installed


def test_a_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    kafka, _ = artifacts.locked()
    (tmp_path / "jar").write_text("not it")
    with pytest.raises(PipelineError, match="SHA-256"):
        download.verify(tmp_path / "jar", kafka[0])


def test_a_cache_that_cannot_be_written_is_named_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError, match=artifacts.CACHE_VARIABLE):
        artifacts.install(Silent(), tmp_path / "file" / "cache")
