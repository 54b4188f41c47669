"""What stands in deploy/ and docker-compose.yml agrees with the code: settings, metrics, runbooks, addresses."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from served import served_families

from pipeline import settings
from pipeline.local.registry import API

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
RULES = {
    name: [
        rule
        for group in yaml.safe_load((ROOT / "deploy" / f"{name}.yml").read_text())["groups"]
        for rule in group["rules"]
    ]
    for name in ("alerts", "recording")
}
ALERTS = RULES["alerts"]
DASHBOARD_FILES = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
DASHBOARDS = [json.loads(file.read_text()) for file in DASHBOARD_FILES]
OURS = ("init", "worker", "audit", "pipeline")


def metrics_of_a_worker() -> dict[str, set[str]]:
    """Every sample that a worker serves or may serve, name → labels."""
    found: dict[str, set[str]] = {}
    for family in served_families():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        for suffix in suffixes:
            found[family.name + suffix] = {label for sample in family.samples for label in sample.labels}
    return found


def expressions() -> Iterator[tuple[str, str]]:
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for rule in RULES["recording"]:
        yield rule["record"], rule["expr"]
    for dashboard in DASHBOARDS:
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                yield panel["title"], target["expr"]


def ports(service: dict[str, Any]) -> list[str]:
    return [str(port) for port in service.get("ports", ())]


def filled(url: str) -> str:
    return re.sub(r"\$\{\w+:\?[^}]*\}", "secret", url)


def test_compose_sets_only_what_the_settings_read() -> None:
    source = Path(settings.__file__).read_text()
    for name in OURS:
        keys = COMPOSE["services"][name]["environment"].keys() - {"TMPDIR"}  # which Python reads
        unread = [key for key in keys if f'"{key}"' not in source]
        assert not unread, f"{name}: {unread}"


def test_composes_settings_can_be_loaded() -> None:
    for name in OURS:
        environment = {key: filled(value) for key, value in COMPOSE["services"][name]["environment"].items()}
        loaded = settings.load(environment)
        assert loaded.registry.url.endswith(API)
        assert loaded.metrics_host == "0.0.0.0"
        assert loaded.instance is None, "every replica would be the same member of the group"


def test_every_address_in_composes_settings_is_a_service() -> None:
    environment = COMPOSE["services"]["worker"]["environment"]
    assert tuple(key for key in environment if key in settings.SERVERS) == settings.SERVERS
    for name in settings.SERVERS:
        host = re.search(r"(?:@|//|^)([a-z]+):\d+", filled(environment[name]))
        assert host, name
        assert host[1] in COMPOSE["services"]


def test_ports_are_published_on_the_loopback_address_alone() -> None:
    for name, service in COMPOSE["services"].items():
        for port in ports(service):
            assert port.startswith("127.0.0.1:"), f"{name}: {port}"
        assert "network_mode" not in service


def test_no_password_stands_in_a_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text() + DOCKERFILE
    for line in text.splitlines():
        if "PASSWORD" in line and not line.lstrip().startswith("#"):
            assert "${POSTGRES_PASSWORD" in line, line
            assert "POSTGRES_PASSWORD:-" not in line, line


def test_a_missing_password_is_refused_by_name() -> None:
    assert "${POSTGRES_PASSWORD:?Set POSTGRES_PASSWORD" in COMPOSE["services"]["worker"]["environment"]["DATABASE_URL"]


def test_servers_come_back_by_themselves_and_say_whether_they_are_well() -> None:
    for name, service in COMPOSE["services"].items():
        if name in ("init", "pipeline"):
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "unless-stopped", name
        by_image = name in ("worker", "audit", "kafka-exporter")
        assert by_image or service["healthcheck"]["test"], name
    assert "HEALTHCHECK" in DOCKERFILE
    assert "/healthz" in DOCKERFILE


def test_workers_can_be_scaled() -> None:
    worker = COMPOSE["services"]["worker"]
    assert "container_name" not in worker
    assert "hostname" not in worker
    assert not ports(worker), "two replicas can't have the same port of the host"


def test_named_volumes_hold_what_must_outlive_a_container() -> None:
    for name, folder in (
        ("kafka", "/var/lib/kafka/data"),
        ("postgres", "/var/lib/postgresql"),
        ("prometheus", "/prometheus"),
        ("alertmanager", "/alertmanager"),
    ):
        assert f"{name}:{folder}" in COMPOSE["services"][name]["volumes"]
        assert name in COMPOSE["volumes"]
    assert COMPOSE["services"]["kafka"]["environment"]["KAFKA_LOG_DIRS"] == "/var/lib/kafka/data"


def test_what_compose_mounts_is_there() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", source)
            if source.startswith("."):
                assert (ROOT / source).exists(), source


def test_the_images_are_pinned() -> None:
    for name, service in COMPOSE["services"].items():
        if name not in OURS:
            assert re.search(r":v?\d", service["image"]), service["image"]


def test_compose_runs_the_kafka_and_the_registry_that_the_tests_run() -> None:
    artifacts = tomllib.loads((ROOT / "pipeline" / "local" / "artifacts.toml").read_text())
    coordinates = [
        entry["coordinate"] for entries in artifacts.values() if isinstance(entries, list) for entry in entries
    ]
    for image, coordinate in (
        (COMPOSE["services"]["kafka"]["image"], "org.apache.kafka:kafka-clients:jar:"),
        (COMPOSE["services"]["registry"]["image"], "io.apicurio:apicurio-registry-app:"),
    ):
        version = image.rpartition(":")[2]
        assert any(c.startswith(coordinate) and version in c.split(":") for c in coordinates), image


def test_the_dockerfile_copies_what_is_in_its_context() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {source for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.M) for source in line.split()[:-1]}
    assert copied == allowed
    for source in copied - {"README.md"}:
        assert (ROOT / source).exists(), source
    assert "schemas" in copied, "pipeline/contract/schemas is a link to it"


def test_the_image_runs_as_an_ordinary_user_with_locked_dependencies() -> None:
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^USER 10001", last, re.M)
    assert DOCKERFILE.count("pip install --require-hashes") == 2


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_alerts_and_dashboard_use_metrics_that_exist(where: str, expression: str) -> None:
    known = metrics_of_a_worker()
    recorded = {rule["record"] for rule in RULES["recording"]}
    assert {*re.findall(r"\bpipeline:[\w:]+", expression)} <= recorded, where
    for name, labels in re.findall(r"\b(pipeline_\w+)(?:\{([^}]*)\})?", expression):
        assert name in known, f"{where}: {name}"
        used = set(re.findall(r"(\w+)\s*[=!]", labels)) - {"job", "instance"}
        assert used <= known[name] or not known[name], f"{where}: {name} has no label {used - known[name]}"


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for _, expression in expressions() for name in re.findall(r"\bpipeline_\w+", expression)}
    for family in (each for each in served_families() if each.name.startswith("pipeline_")):
        assert any(name.startswith(family.name) for name in shown), family.name


def test_the_dashboards_are_what_the_code_makes() -> None:
    before = {file: file.read_text() for file in DASHBOARD_FILES}
    dashboards = runpy.run_path(str(ROOT / "deploy" / "dashboards.py"))
    made = {
        dashboards["FOLDER"] / f"{each.name}.json": json.dumps(
            dashboards["as_json"](each), indent=2, ensure_ascii=False
        )
        for each in dashboards["DASHBOARDS"]
    }
    assert {file: text + "\n" for file, text in made.items()} == before, "run python deploy/dashboards.py"


def test_prometheus_reads_the_rules_and_finds_what_compose_runs() -> None:
    configured = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())
    mounted = {volume.split(":")[1] for volume in COMPOSE["services"]["prometheus"]["volumes"]}
    for file in configured["rule_files"]:
        assert f"/etc/prometheus/{file}" in mounted
    text = (ROOT / "deploy" / "prometheus.yml").read_text() + (
        ROOT / "deploy" / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
    ).read_text()
    for host in re.findall(r'"([a-z-]+):\d+"|//([a-z-]+):\d+|names: \[(\w+)\]', text):
        assert "".join(host) in COMPOSE["services"], host


def test_every_alert_says_what_is_wrong_and_where_to_read_on() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names)
    operations = ROOT / "docs" / "operations.md"
    anchors = headings(operations.read_text())
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert {"summary", "description", "runbook"} <= set(rule["annotations"]), rule["alert"]
        file, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert ROOT / file == operations
        assert anchor in anchors, f"{rule['alert']}: {anchor}"


def headings(markdown: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", markdown, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_prometheus_finds_the_workers_and_the_alerts() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())
    job = next(job for job in config["scrape_configs"] if job["job_name"] == "pipeline")
    assert job["dns_sd_configs"][0]["names"] == ["worker"]
    address = COMPOSE["services"]["worker"]["environment"]["PIPELINE_METRICS_ADDRESS"]
    assert address.endswith(f":{job['dns_sd_configs'][0]['port']}")
    for file in config["rule_files"]:
        assert f"./deploy/{file}:/etc/prometheus/{file}:ro" in COMPOSE["services"]["prometheus"]["volumes"]


def test_a_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    without = shutil.ignore_patterns("__pycache__")
    for folder in ("pipeline", "schemas"):
        shutil.copytree(ROOT / folder, tree / folder, symlinks=True, ignore=without)
    shutil.copy(ROOT / "pyproject.toml", tree)
    (tree / "README.md").write_text("")
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path, tree],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    held = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    package = tree / "pipeline"
    files = [file for file in package.rglob("*") if file.is_file()] + list((package / "contract" / "schemas").iterdir())
    missing = {str(file.relative_to(tree)) for file in files} - held
    assert not missing, f"package-data in pyproject.toml leaves out {sorted(missing)}"
