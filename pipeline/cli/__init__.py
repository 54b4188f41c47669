"""The console script `pipeline`. Each command stands in a module of its own, imported when it is called."""

from __future__ import annotations

import importlib
import os
import sys

import click

from pipeline.errors import PipelineError

#: command → (module, one line of help); a table, so that `pipeline --help` imports nothing heavy.
COMMANDS = {
    "up": ("pipeline.cli.stack", "Start a private Kafka, schema registry and Postgres under .pipeline/."),
    "down": ("pipeline.cli.stack", "Stop them."),
    "status": ("pipeline.cli.stack", "Show them."),
    "init": ("pipeline.cli.init", "Create topics, register schemas, migrate the database."),
    "worker": ("pipeline.cli.worker", "Run one stream worker."),
    "publish": ("pipeline.cli.publish", "Publish touchpoints from JSON Lines or CSV."),
    "simulate": ("pipeline.cli.simulate", "Publish a seeded stream of touchpoints from four channels."),
    "customer": ("pipeline.cli.customer", "Show one customer: journeys, satisfaction, churn risk and why."),
    "identity": ("pipeline.cli.identity", "Show who a key is and how it is known, and correct it."),
    "touchpoints": ("pipeline.cli.touchpoints", "Show every touchpoint; what hurts most comes first."),
    "satisfaction": ("pipeline.cli.satisfaction", "Show what customers answered, by instrument."),
    "coverage": ("pipeline.cli.coverage", "Show who is asked, reached and answers; never asked ones come first."),
    "map": ("pipeline.cli.map", "Show which ways customers take."),
    "funnel": ("pipeline.cli.funnel", "Show how many come from step to step, and where the others went."),
    "drivers": ("pipeline.cli.drivers", "Show what goes with satisfaction, with leaving, with a conversion."),
    "cases": ("pipeline.cli.cases", "List and show orders, tickets, complaints across journeys."),
    "at-risk": ("pipeline.cli.at_risk", "Show the customers at risk; who is about to leave comes first."),
    "fit": ("pipeline.cli.fit", "Fit a model on the company's own history, and validate it."),
    "models": ("pipeline.cli.models", "List and show versions of models; choose the one for the scores."),
    "quarantine": ("pipeline.cli.quarantine", "List, show, replay and discard refused records."),
    "topic": ("pipeline.cli.topic", "Show and find records of the topic; publish journeys anew."),
    "rebuild": ("pipeline.cli.rebuild", "Empty the tables, so that workers make them anew from the topic."),
    "audit": ("pipeline.cli.audit", "Rebuild journeys and scores from the topic, and compare with the tables."),
    "demo": ("pipeline.cli.demo", "Start a local stack, simulate some weeks, and show what comes out."),
    "bench": ("pipeline.cli.bench", "Measure a worker: beside other engines, its latency, its growth."),
}


#: The extra of the distribution that a command needs; those that are not named work with the base install.
EXTRAS = {
    **dict.fromkeys(("up", "down", "status"), "local"),
    **dict.fromkeys(
        (
            "init",
            "worker",
            "customer",
            "identity",
            "touchpoints",
            "satisfaction",
            "coverage",
            "map",
            "funnel",
            "drivers",
            "cases",
            "at-risk",
            "models",
            "quarantine",
            "topic",
            "rebuild",
        ),
        "worker",
    ),
    **dict.fromkeys(("fit", "models"), "models"),
    "audit": "audit",
    "demo": "all",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="touchpoint-pipeline")
def cli() -> None:
    """Customer touchpoints from every channel, joined live into journeys with satisfaction and churn risk."""


def main() -> None:
    """Run the command line: 0 on success, 2 on bad usage or bad input, 1 on any other failure."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2 if isinstance(error, click.UsageError | click.BadParameter | click.FileError) else 1)
    except PipelineError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        command = sys.argv[1] if len(sys.argv) > 1 else ""
        if command not in EXTRAS or (error.name or "").startswith("pipeline"):
            raise
        click.echo(
            f"Error: `pipeline {command}` needs more than the base install ({error.name} is missing). Run "
            f"pip install 'touchpoint-pipeline[{EXTRAS[command]}]'.",
            err=True,
        )
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
