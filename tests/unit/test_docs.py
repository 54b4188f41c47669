"""What README, CONTRIBUTING and docs/ say exists: commands, options, links, names; and their examples hold."""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from placing import place
from served import served_families

from pipeline import catalogue, settings
from pipeline.cli import COMMANDS, cli
from pipeline.contract.reject import REASONS, Rejected
from pipeline.contract.text import from_json_line
from pipeline.contract.validate import check
from pipeline.journey import policy
from pipeline.journey.journey import Journey
from pipeline.journey.step import Step, StepType, event_key
from pipeline.scores.registry import topic_schemas
from pipeline.topics import DEAD_LETTERS
from pipeline.touchpoint import Touchpoint

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text()
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
}
ALL = "\n".join(PAGES.values())
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
CODE = re.compile(r"`([^`\n]+)`")
PAGE = pytest.mark.parametrize("page", sorted(PAGES))


def blocks(page: str, language: str) -> list[str]:
    return [body for found, body in FENCE.findall(PAGES[page]) if found == language]


def prose(page: str) -> str:
    return FENCE.sub("", PAGES[page])


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def calls(page: str) -> Iterator[list[str]]:
    """What stands after `pipeline` in code: in indented lines and between backticks."""
    text = prose(page)
    shell = [line.split("#")[0].replace("|", "\n") for line in re.findall(r"^    (.*)$", text, re.M)]
    for code in [*CODE.findall(text), *"\n".join(shell).split("\n")]:
        if found := re.search(r"(?:^|\s|/bin/)pipeline ((?:[a-z-]+)(?: .*)?)$", code.strip()):
            yield found[1].split()


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    if words[0] == "bench":  # which hands its words on
        name = words[1] if words[1:] and not words[1].startswith("-") else "compare"
        bench: click.Command = importlib.import_module(f"bench.{name}").main
        return bench, words[1:]
    command: click.Command = cli
    context = click.Context(cli)
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command `{' '.join(words)}`"
        command, words = found, words[1:]
    return command, words


@PAGE
def test_every_command_and_option_exists(page: str) -> None:
    for words in calls(page):
        command, rest = command_of(words)
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.split("=")[0] for word in rest if word.startswith("--")} - {"--help"}
        assert used <= options, f"`pipeline {' '.join(words)}`: no {', '.join(sorted(used - options))}"


@PAGE
def test_every_option_in_the_text_is_one_of_some_command(page: str) -> None:
    known = {"--help", "--volumes"}
    for words in [*([name] for name in COMMANDS), ["bench", "latency"], ["bench", "growth"], ["bench", "identity"]]:
        command = command_of(words)[0]
        every = [command, *command.commands.values()] if isinstance(command, click.Group) else [command]
        known |= {name for one in every for each in one.params for name in (*each.opts, *each.secondary_opts)}
    named = {code.split()[0] for code in CODE.findall(prose(page)) if code.startswith("--")}
    assert named <= known, sorted(named - known)


@PAGE
def test_links_and_anchors_resolve(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = ((ROOT / page).parent / file).resolve() if file else ROOT / page
        assert path.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in anchors(path.relative_to(ROOT).as_posix()), f"{page}: {target}"


@PAGE
def test_files_that_are_named_exist(page: str) -> None:
    for name in re.findall(r"`((?:pipeline|deploy|docs|schemas|tests)/[\w./-]+)`", prose(page)):
        assert (ROOT / name).exists(), f"{page}: {name}"


@PAGE
def test_make_targets_that_are_named_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:^    |`)make ([a-z][a-z-]*)", prose(page), re.M))
    assert named <= targets, sorted(named - targets)


@PAGE
def test_python_examples_import_what_exists(page: str) -> None:
    for body in blocks(page, "python"):
        for node in ast.walk(ast.parse(body)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module or "")
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{page}: {node.module}.{alias.name}"
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Touchpoint":
                assert {keyword.arg for keyword in node.keywords} <= set(Touchpoint._fields)
        if "assert" in body:
            exec(compile(body, page, "exec"), {})


def test_json_examples_are_valid_touchpoints() -> None:
    examples = blocks("docs/contract.md", "json")
    examples += re.findall(r"echo '(\{.*?\})'", PAGES["README.md"], re.S)
    assert len(examples) == 2
    for example in examples:
        touchpoint = from_json_line(json.dumps(json.loads(example)))
        assert not isinstance(touchpoint, Rejected), touchpoint
        assert check(touchpoint, now_ms=touchpoint.occurred_at) is None


def test_the_table_of_hashed_identifiers_is_that_of_the_test_vectors() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\".*\")` \| (\w*) \| (.*) \|$", PAGES["docs/contract.md"], re.M)
    vectors = json.loads((ROOT / "docs/examples/identifiers.json").read_text())
    assert [(kind, json.loads(given), country) for kind, given, country, _ in rows] == [
        (each["type"], each["given"], each.get("country", "")) for each in vectors
    ]
    for each, (*_, told) in zip(vectors, rows, strict=True):
        assert told in (
            "refused" if each.get("refused") else f"`{each.get('hashed')}`",
            f"sent as `{each.get('value')}`",
        ) or (each["value"] == each["given"].lower() and told == "sent as it is, in lower case")


def tables() -> set[str]:
    """The tables that the migrations create."""
    migrations = (ROOT / "pipeline/ledger/migrations").glob("*.sql")
    return {name for file in migrations for name in re.findall(r"^CREATE TABLE (\w+)", file.read_text(), re.M)}


def test_every_reason_metric_setting_topic_table_and_field_is_documented() -> None:
    operations, contract, consuming = (PAGES[f"docs/{name}.md"] for name in ("operations", "contract", "consuming"))
    for reason in REASONS:
        assert f"| `{reason}` |" in contract, reason
    for family in (each for each in served_families() if each.name.startswith("pipeline_")):
        name = family.name + ("_total" if family.type == "counter" else "")
        assert re.search(rf"\| `{name}(\{{[\w,]+\}})?` \|", operations), name
    read = set(re.findall(r'"([A-Z]+_[A-Z_]+)"', Path(settings.__file__).read_text()))
    assert read >= set(settings.SERVERS)
    for setting in read:
        assert f"| `{setting}` |" in operations, setting
    for topic in (*list(topic_schemas())[1:], DEAD_LETTERS):
        assert f"| `{topic}` |" in consuming, topic
    for table in tables() - {"touchpoint_count"}:
        assert re.search(rf"^\| `{table}`", consuming, re.M), table
    for field in Touchpoint._fields:
        assert f"| `{field}` |" in contract, field


def test_no_reason_or_metric_is_documented_that_does_not_exist() -> None:
    table = PAGES["docs/contract.md"].partition("## What is refused")[2].partition("## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == set(REASONS)
    families = {family.name for family in served_families()}
    for name in re.findall(r"`(pipeline_\w+)", ALL):
        assert name.removesuffix("_total") in families, name


def test_the_glossary_defines_each_term_once_and_names_tables_that_exist() -> None:
    glossary = PAGES["docs/glossary.md"]
    terms = re.findall(r"\*\*([^*]+)\*\*", glossary)
    assert len(terms) > 50
    assert sorted(set(terms)) == sorted(terms)
    named = set(re.findall(r"[Tt]able `(\w+)`", glossary))
    assert named
    assert named <= tables(), sorted(named - tables())


def test_every_command_is_named_somewhere() -> None:
    named = {words[0] for page in PAGES for words in calls(page)}
    assert set(COMMANDS) <= named, sorted(set(COMMANDS) - named)


def examples_of_journeys() -> Iterator[list[list[str]]]:
    for table in re.findall(
        r"^\| occurred_at \| touchpoint \| journey \|\n.*\n((?:\|.*\n)+)", PAGES["docs/journeys.md"], re.M
    ):
        yield [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


@pytest.mark.parametrize("rows", list(examples_of_journeys()))
def test_the_tables_of_journeys_hold(rows: list[list[str]]) -> None:
    shipped, kinds = policy.read(None), catalogue.load()
    journeys: list[Journey] = []
    letters: dict[bytes, str] = {}
    for number, (time, name, letter) in enumerate(rows):
        at = int(datetime.fromisoformat(f"2026-05-01T{time}").replace(tzinfo=UTC).timestamp() * 1000)
        channel, kind = name.split("/")
        entry = kinds.entry(channel, kind)
        assert entry.catalogued
        step_type = StepType(channel, kind, entry.stage or "unknown", "none")
        step = Step(at, 0, event_key("docs", str(number), at), step_type)
        letters[step.key] = letter
        place(journeys, "customer:1", step, at + shipped.gap(channel, kind), int(entry.initiated_by == "customer"))
    found = {frozenset(journey.keys) for journey in journeys}
    expected = {frozenset(key for key, one in letters.items() if one == letter) for letter in set(letters.values())}
    assert found == expected


def test_there_are_tables_of_journeys() -> None:
    assert len(list(examples_of_journeys())) >= 5
