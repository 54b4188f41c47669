"""Renew `artifacts.toml`: `python -m pipeline.local.relock`, after changing a version below.

jgo resolves the coordinates; every file's size and hash are then taken from what it downloaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w

from pipeline.local.download import digest

#: Kafka 4.1 to 4.4 can lose a part of a transaction when the only replica's broker crashes (KAFKA-20734).
KAFKA = (
    "org.apache.kafka:kafka_2.13:4.0.2",
    # named, because a logging binding of Log4j 2 would pull in an old kafka-clients
    "org.apache.kafka:kafka-clients:4.0.2",
    "org.slf4j:slf4j-reload4j:1.7.36",
)
#: the only version whose runnable archive was published
REGISTRY = "io.apicurio:apicurio-registry-app:tar.gz:all:3.0.9"


def main() -> None:
    """Resolve, download and write the lock."""
    from jgo.maven import MavenContext

    context = MavenContext()
    inputs, transitive = context.resolver.resolve([context.create_dependency(text) for text in KAFKA])
    group, name, kind, classifier, version = REGISTRY.split(":")
    registry = context.project(group, name).at_version(version).artifact(classifier, kind)
    document = {
        "kafka": [_entry(dependency.artifact) for dependency in [*inputs, *transitive]],
        "registry": [_entry(registry)],
    }
    (Path(__file__).parent / "artifacts.toml").write_text(
        "# Written by `python -m pipeline.local.relock`.\n\n" + tomli_w.dumps(document)
    )


def _entry(artifact: Any) -> dict[str, str | int]:
    path = Path(artifact.resolve())
    parts = [artifact.groupId, artifact.artifactId, artifact.packaging, artifact.classifier, artifact.version]
    return {
        "coordinate": ":".join(part for part in parts if part),
        "size": path.stat().st_size,
        "sha256": digest(path),
    }


if __name__ == "__main__":
    main()
