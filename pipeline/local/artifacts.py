"""Kafka and the registry from a Maven repository: downloaded once, verified, shared by all projects of a user.

`artifacts.toml` is the lock: every file with its version, size and SHA-256 (`python -m pipeline.local.relock`
renews it). Only what has that hash enters the cache, in one step, so a file that is in the cache is good.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path

import platformdirs
from fasteners import InterProcessLock  # type: ignore[import-untyped]

from pipeline.errors import PipelineError
from pipeline.local.download import Artifact, download
from pipeline.local.files import emptied
from pipeline.local.progress import Progress

#: an environment variable that names another cache
CACHE_VARIABLE = "PIPELINE_CACHE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What the servers are started from."""

    kafka_jars: tuple[Path, ...]
    registry_jar: Path


def cache() -> Path:
    """Return the folder that all projects of this user share."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else platformdirs.user_cache_path("touchpoint-pipeline")


def locked() -> tuple[tuple[Artifact, ...], Artifact]:
    """Kafka's jars in class path order, and the registry's archive."""
    document = tomllib.loads(resources("pipeline.local").joinpath("artifacts.toml").read_text())
    (registry,) = (Artifact(**entry) for entry in document["registry"])
    return tuple(Artifact(**entry) for entry in document["kafka"]), registry


def installed(folder: Path | None = None) -> Installed:
    """Return where the servers' programs are, once `install` was called."""
    folder = cache() if folder is None else folder
    kafka, registry = locked()
    unpacked = folder / f"{registry.file_name.removesuffix('.tar.gz')}-{registry.sha256[:8]}"
    return Installed(
        kafka_jars=tuple(folder / "jars" / artifact.file_name for artifact in kafka),
        registry_jar=unpacked / registry.file_name.replace("-all.tar.gz", "-runner.jar"),
    )


def install(progress: Progress, folder: Path | None = None) -> Installed:
    """Return everything the lock names, from the cache or else downloaded into it.

    Raises PipelineError when something can't be had or isn't what the lock says.
    """
    folder = cache() if folder is None else folder
    ready = installed(folder)
    if _complete(ready):
        return ready
    kafka, registry = locked()
    jars = folder / "jars"
    unpacked = ready.registry_jar.parent
    with _exclusively(folder, progress):
        missing = [artifact for artifact in kafka if not (jars / artifact.file_name).exists()]
        if not unpacked.exists():
            missing.append(registry)
        if not missing:
            return ready
        staging = emptied(folder / "staging")
        download(missing, staging, progress)
        jars.mkdir(exist_ok=True)
        for artifact in missing:
            if artifact is registry:
                _unpack(staging / artifact.file_name, unpacked, progress)
            else:
                (staging / artifact.file_name).replace(jars / artifact.file_name)
        shutil.rmtree(staging, ignore_errors=True)
    return ready


def _complete(installed: Installed) -> bool:
    return installed.registry_jar.exists() and all(jar.exists() for jar in installed.kafka_jars)


@contextmanager
def _exclusively(folder: Path, progress: Progress) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = InterProcessLock(folder / "lock")
        if not lock.acquire(blocking=False):
            with progress.step("Waiting for another download into the same cache"):
                lock.acquire()
    except OSError as error:
        raise PipelineError(
            f"Can't write to the cache {folder}: {error.strerror or error}. Set {CACHE_VARIABLE} to another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _unpack(archive: Path, target: Path, progress: Progress) -> None:
    with progress.step("Unpacking the registry"):
        half = archive.with_name("unpacked")
        with tarfile.open(archive) as tar:
            # Python before 3.11.4 has no filters; the archive is known by its hash
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
            tar.extractall(half)  # noqa: S202
        half.replace(target)
        archive.unlink()
