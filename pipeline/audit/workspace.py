"""DuckDB in a temporary folder with a limit of memory; the folder is removed afterwards."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

from pipeline.errors import PipelineError

#: Records in a file on their way into DuckDB.
_CHUNK = 200_000
_CSV = """auto_detect = false, parallel = false, header = false, delim = ',', quote = '"', escape = '"', nullstr = '',
    allow_quoted_nulls = false"""
#: Not Postgres's line end: Python's writer quotes only the one that its own lines end in.
_LINE_END = "\r\n"


class Workspace:
    """A DuckDB database in `folder`."""

    def __init__(self, folder: Path, memory_mb: int) -> None:
        self.folder = folder
        self._db = duckdb.connect(
            str(folder / "audit.duckdb"),
            config={
                "memory_limit": f"{memory_mb}MB",
                "temp_directory": str(folder / "spill"),
                "threads": 2,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def run(self, script: str, **values: object) -> None:
        """Run a script of `sql/`; `$name` in it is replaced by the value of that name, a number."""
        text = (files("pipeline.audit") / "sql" / f"{script}.sql").read_text("utf-8")
        for statement in _statements(text):
            self._db.execute(statement, {name: value for name, value in values.items() if f"${name}" in statement})

    def execute(self, statement: str, values: Sequence[object] | None = None) -> None:
        """Run one statement."""
        self._db.execute(statement, values)

    def rows(self, query: str, values: Sequence[object] | None = None) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, fetched in chunks."""
        cursor = self._db.cursor()
        try:
            cursor.execute(query, values)
            while rows := cursor.fetchmany(10_000):
                yield from rows
        finally:
            cursor.close()

    def one(self, query: str) -> Any:
        """Return the first value of a query's first row."""
        return next(self.rows(query))[0]

    def load(self, table: str, file: Path, line_end: str = "\n") -> None:
        """Append a CSV file without a header, whose columns are the table's, and delete it."""
        columns = self._db.execute("SELECT name, type FROM pragma_table_info(?)", [table]).fetchall()
        types = ", ".join(f"'{name}': '{kind}'" for name, kind in columns)
        self._db.execute(
            f"INSERT INTO {table} SELECT * FROM read_csv(?, columns = {{{types}}}, new_line = ?, {_CSV})",
            [str(file), line_end.encode("unicode_escape").decode()],
        )
        file.unlink()

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Append a few rows."""
        if rows:
            self._db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


class Appender:
    """Appends many rows to a table, through CSV files: each is loaded when it is full. None becomes null."""

    def __init__(self, workspace: Workspace, table: str) -> None:
        self._workspace, self._table = workspace, table
        self._path = workspace.folder / f"{table}.part.csv"
        self._open()

    def add(self, row: Sequence[Any]) -> None:
        """Add a row."""
        self._write(row)
        self._waiting += 1
        if self._waiting >= _CHUNK:
            self._flush()
            self._open()

    def __enter__(self) -> Appender:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is None:
            self._flush()
        else:
            self._file.close()

    def _open(self) -> None:
        self._waiting = 0
        self._file = self._path.open("w", encoding="utf-8", newline="")
        self._write = csv.writer(self._file, lineterminator=_LINE_END).writerow

    def _flush(self) -> None:
        self._file.close()
        self._workspace.load(self._table, self._path, _LINE_END)


@contextmanager
def workspace(memory_mb: int) -> Iterator[Workspace]:
    """Open a workspace in the folder for temporary files (TMPDIR), closed to other users.

    Raises PipelineError when the disk or the memory allowed is too small.
    """
    with tempfile.TemporaryDirectory(prefix="pipeline-audit-") as folder:
        own = Workspace(Path(folder), memory_mb)
        try:
            yield own
        except duckdb.OutOfMemoryException:
            raise PipelineError(
                f"{memory_mb} MB of memory are not enough, or the disk of {tempfile.gettempdir()} is full. Allow more "
                "with --memory, or name another folder in TMPDIR."
            ) from None
        except RuntimeError as error:
            if "interrupted" not in str(error):
                raise
            raise KeyboardInterrupt from None  # a signal came while DuckDB was at work
        except (duckdb.IOException, OSError) as error:
            raise PipelineError(
                f"Files in {tempfile.gettempdir()} can't be written ({type(error).__name__}). Make room there, or name "
                "another folder in TMPDIR."
            ) from None
        finally:
            own.close()


def _statements(script: str) -> list[str]:
    lines = [line for line in script.splitlines() if not line.lstrip().startswith("--")]
    return [statement for part in "\n".join(lines).split(";") if (statement := part.strip())]
