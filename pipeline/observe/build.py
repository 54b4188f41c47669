"""Describes the running build: version, revision of the database's schema, compiled or not, and Python."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from pipeline.flow import advance


def package_version() -> str:
    """Return the version of the installed package; `unknown` where only the source is there."""
    try:
        return version("touchpoint-pipeline")
    except PackageNotFoundError:
        return "unknown"


def build_labels(revision: str) -> dict[str, str]:
    """Return the labels of `pipeline_build_info`; `revision` is that of the database's schema."""
    return {
        "version": package_version(),
        "revision": revision,
        "compiled": "no" if (advance.__file__ or "").endswith(".py") else "yes",
        "python": platform.python_version(),
    }
