"""Running a measurement's command as a process of its own."""

from __future__ import annotations

import sys

import click

from pipeline.errors import PipelineError


def run(command: click.Command, module: str) -> None:
    """Run the command of a module; an error of the pipeline becomes a line on standard error and its exit code."""
    try:
        command(prog_name=f"python -m {module}")
    except PipelineError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
