"""A real Prometheus with the project's rules, which scrapes what the drill runs."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from drill.workers import free_port

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


class Prometheus:
    """Runs in `folder`. Targets can be changed at any time, as discovery would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        configured = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
        jobs = [job["job_name"] for job in configured["scrape_configs"] if job["job_name"] != "prometheus"]
        # Everything is as in deploy/, but where the targets are.
        configured["rule_files"] = [str(DEPLOY / name) for name in configured["rule_files"]]
        del configured["alerting"]
        configured["scrape_configs"] = [
            {"job_name": job, "file_sd_configs": [{"files": [str(self._targets(job))], "refresh_interval": "5s"}]}
            for job in jobs
        ]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configured))
        for job in jobs:
            self.set_targets(job, [])

    def _targets(self, job: str) -> Path:
        return self._folder / f"targets-{job}.json"

    def set_targets(self, job: str, addresses: Iterable[str]) -> None:
        """Set what is scraped of a job."""
        file = self._targets(job)
        new = file.with_suffix(".new")
        new.write_text(json.dumps([{"targets": list(addresses)}]))
        new.rename(file)

    def start(self) -> None:
        """Start it."""
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an instant query."""
        answer = self._get("query", {"query": expression})
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def firing(self) -> set[str]:
        """Return the names of alerts that fire."""
        alerts = self._get("alerts", {})["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def _get(self, path: str, parameters: Mapping[str, str]) -> Any:
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)
