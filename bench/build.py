"""Building the peers, and the compiled pipeline: once, into the cache of the local stack's downloads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import click

from pipeline.errors import PipelineError
from pipeline.local.artifacts import cache

_ROOT = Path(__file__).resolve().parents[1]
PEERS = _ROOT / "bench" / "peers"
_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
_LEAST_JAVA = 17
_READY = ".ready"


class NotBuilt(PipelineError):
    """A peer, or the compiled pipeline, can't be built here."""


def compiled() -> Path:
    """Return a folder with this project's package, the modules that setup.py names compiled to C, which takes a minute.

    Raises NotBuilt.
    """
    if shutil.which("cc") is None:
        raise NotBuilt("it needs a C compiler, and there is no cc")
    files = [_ROOT / name for name in ("setup.py", "pyproject.toml", "README.md")]
    package = [path for folder in ("pipeline", "schemas") for path in (_ROOT / folder).rglob("*.*")]
    sources = [*files, *sorted(path for path in package if path.is_file() and path.suffix != ".pyc")]

    def make(place: Path) -> None:
        source = place / "source"
        shutil.copytree(_ROOT / "pipeline", source / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
        for path in files:
            shutil.copy(path, source)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(place), str(source)]
        _output(wheel, PIPELINE_COMPILE="1")
        _output([*pip, "install", "--no-deps", "--target", str(place / "lib"), *map(str, place.glob("*.whl"))])
        shutil.rmtree(source)

    return _once(f"pipeline-{_PYTHON}", sources, make) / "lib"


@dataclass(frozen=True)
class Java:
    """A peer in Java: its folder under peers/, with a pom.xml for the libraries."""

    folder: str

    def build(self) -> list[str]:
        """Fetch the libraries and compile; the start of its command line. Raises NotBuilt."""
        for program in ("java", "javac", "mvn"):
            if shutil.which(program) is None:
                raise NotBuilt(f"it needs Java {_LEAST_JAVA} and Maven, and there is no {program}")
        version = re.search(r"javac (\d+)", _output(["javac", "-version"]))
        if version is None or int(version[1]) < _LEAST_JAVA:
            raise NotBuilt(f"it needs Java {_LEAST_JAVA}; javac is {version[1] if version else 'of no known version'}")
        own = PEERS / self.folder
        sources = sorted([*(PEERS / "jvm").glob("*.java"), *own.glob("*.java")])

        def make(place: Path) -> None:
            fetch = ["mvn", "-q", "-B", "-f", str(own / "pom.xml"), "dependency:copy-dependencies"]
            _output([*fetch, f"-DoutputDirectory={place / 'lib'}", "-DincludeScope=runtime"])
            _output(["javac", "-nowarn", "-cp", f"{place / 'lib'}/*", "-d", str(place / "classes"), *map(str, sources)])

        place = _once(self.folder, [own / "pom.xml", *sources], make)
        return ["java", "-Xmx2g", "-cp", f"{place / 'classes'}:{place / 'lib'}/*"]


@dataclass(frozen=True)
class Python:
    """A peer in Python: its module is peers/python/sessions_NAME.py, its packages are in requirements-NAME.txt."""

    name: str

    def build(self) -> list[str]:
        """Make a virtual environment; the start of its command line. Raises NotBuilt."""
        requirements = PEERS / "python" / f"requirements-{self.name}.txt"

        def make(place: Path) -> None:
            _output([sys.executable, "-m", "venv", str(place)])
            _output([str(place / "bin" / "python"), "-m", "pip", "install", "-q", "-r", str(requirements)])

        place = _once(f"{self.name}-{_PYTHON}", [requirements], make)
        return [str(place / "bin" / "python"), str(PEERS / "python" / f"sessions_{self.name}.py")]


def _once(name: str, sources: list[Path], make: Callable[[Path], None]) -> Path:
    """Return a folder that was made of these sources, now or earlier; one of other sources, or made by half, goes."""
    digest = sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    place = cache() / "bench" / f"{name}-{digest}"
    if not (place / _READY).exists():
        click.echo(f"building {name} …", err=True)
        for old in place.parent.glob(f"{name}-{'[0-9a-f]' * len(digest)}"):
            shutil.rmtree(old, ignore_errors=True)
        place.mkdir(parents=True)
        make(place)
        (place / _READY).touch()
    return place


def _output(argv: list[str], **settings: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | settings
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        last = (done.stdout.strip().splitlines() or ["it says nothing"])[-1]
        raise NotBuilt(f"`{Path(argv[0]).name}` ended with {done.returncode}: {last}")
    return done.stdout
