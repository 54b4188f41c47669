"""Downloads from a Maven repository, by jgo: several at a time, verified, stopped at once when interrupted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from pipeline.errors import PipelineError
from pipeline.local.progress import Progress

AT_ONCE = 6
ATTEMPTS = 3
TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One locked file. `coordinate` is Maven's `group:artifact:type[:classifier]:version`; `size` in bytes."""

    coordinate: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        """Return the name of the file in the cache, `<artifact>-<version>[-<classifier>].<type>`."""
        _, name, kind, *classifier, version = self.coordinate.split(":")
        return "-".join([name, version, *classifier]) + f".{kind}"


def download(artifacts: Sequence[Artifact], folder: Path, progress: Progress) -> None:
    """Put these files into `folder`, under their `file_name`s. Raises PipelineError."""
    size = sum(artifact.size for artifact in artifacts)
    with progress.download("Downloading Kafka and the registry", size) as advance:
        stop = Event()
        context = _context(folder / "repository", advance, stop)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            largest_first = sorted(artifacts, key=lambda artifact: -artifact.size)
            futures = [pool.submit(_fetch, context, artifact, folder, stop) for artifact in largest_first]
            try:
                for future in futures:
                    future.result()
            finally:
                stop.set()


def verify(path: Path, artifact: Artifact) -> None:
    """Raise PipelineError unless the file is what the lock says."""
    if digest(path) != artifact.sha256:
        raise PipelineError("it came with another SHA-256 than the lock's")


def digest(path: Path) -> str:
    """Return a file's SHA-256, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _context(repository: Path, advance: Callable[[int], None], stop: Event) -> Any:
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext, PythonResolver

    def chunk(size: int) -> None:
        if stop.is_set():
            raise PipelineError("interrupted")
        advance(size)

    @contextmanager
    def counted(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield chunk

    # the user's own mirrors (jgo.conf) come first; one that is called central replaces it
    own = {name: url.rstrip("/") for name, url in GlobalSettings.load().repositories.items()}
    return MavenContext(
        resolver=PythonResolver(progress_callback=counted),
        repo_cache=repository,
        remote_repos=own if "central" in own else own | {"central": MAVEN_CENTRAL_URL},
        timeout=TIMEOUT_SECONDS,
    )


def _fetch(context: Any, artifact: Artifact, folder: Path, stop: Event) -> None:
    group, name, kind, *classifier, version = artifact.coordinate.split(":")
    wanted = context.project(group, name).at_version(version).artifact("".join(classifier), kind)
    for attempt in range(1, ATTEMPTS + 1):
        if stop.is_set():
            return
        try:
            path = Path(wanted.resolve())
            verify(path, artifact)
        except (OSError, RuntimeError, PipelineError) as error:  # what requests raises is an OSError
            Path(wanted.cached_path).unlink(missing_ok=True)  # jgo leaves a broken download in its place
            if attempt == ATTEMPTS:
                raise PipelineError(
                    f"Can't download {artifact.coordinate}: {error}. Is the network there, and HTTPS_PROXY right? "
                    "A mirror of Maven Central goes into jgo.conf, under [repositories]."
                ) from error
        else:
            path.replace(folder / artifact.file_name)
            return
