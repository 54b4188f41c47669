"""Makes Grafana's dashboards: `python deploy/dashboards.py` writes deploy/grafana/dashboards/*.json anew.

Panels are declared below, dashboard by dashboard, in rows. Grafana reads the files (docker-compose.yml); elsewhere they
can be imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "grafana" / "dashboards"
#: Grafana's grid is this wide.
_WIDTH = 24


class Query(NamedTuple):
    """A PromQL expression, and what its series are called."""

    expression: str
    legend: str = ""


class Panel(NamedTuple):
    """One panel. `unit` is Grafana's; a `stat` shows the last value alone. `min_0` lets the axis begin at 0."""

    title: str
    queries: Sequence[Query]
    unit: str = "short"
    description: str = ""
    stat: bool = False
    min_0: bool = True


class Row(NamedTuple):
    """Panels below a heading."""

    title: str
    panels: Sequence[Panel]


class Dashboard(NamedTuple):
    """A dashboard; `name` is its file's and its uid's."""

    name: str
    title: str
    rows: Sequence[Row]


def _stat(title: str, *queries: Query, unit: str = "short", description: str = "") -> Panel:
    return Panel(title, queries, unit, description, stat=True)


def _graph(title: str, *queries: Query, unit: str = "short", description: str = "", min_0: bool = True) -> Panel:
    return Panel(title, queries, unit, description, min_0=min_0)


def _quantiles(histogram: str) -> list[Query]:
    return [
        Query(f"histogram_quantile({q}, sum by (le) (rate({histogram}_bucket[5m])))", name)
        for q, name in ((0.5, "half below"), (0.99, "99 % below"))
    ]


PIPELINE = Dashboard(
    "touchpoint-pipeline",
    "Touchpoint pipeline",
    [
        Row(
            "Is it working?",
            [
                _stat("Workers that answer", Query("pipeline:workers:up"), unit="none"),
                _stat(
                    "Partitions",
                    Query("sum(pipeline_assigned_partitions)", "assigned"),
                    Query("max(pipeline_topic_partitions)", "of the topic"),
                    unit="none",
                    description="Both numbers must be the same.",
                ),
                _stat("Records waiting", Query("sum(pipeline:lag_records:max)"), description="Over all partitions."),
                _stat(
                    "Touchpoints a second",
                    Query("sum(rate(pipeline_events_total[5m]))"),
                    unit="ops",
                    description="Mean of the last five minutes.",
                ),
                _stat(
                    "Share rejected",
                    Query(
                        "sum(rate(pipeline_rejected_total[1h])) / "
                        "(sum(rate(pipeline_rejected_total[1h])) + sum(rate(pipeline_events_total[1h])))"
                    ),
                    unit="percentunit",
                    description="Of the last hour.",
                ),
                _stat("Open journeys", Query("sum(pipeline_open_journeys)")),
            ],
        ),
        Row(
            "Service levels",
            [
                _graph(
                    "Touchpoints that took longer than 10 s",
                    Query("pipeline:slow:ratio5m", "5 minutes"),
                    Query("pipeline:slow:ratio1h", "1 hour"),
                    unit="percentunit",
                    description="The objective is 1 % in 30 days.",
                ),
                _graph(
                    "Time in which a partition was not served",
                    Query("pipeline:unavailable:ratio5m", "5 minutes"),
                    Query("pipeline:unavailable:ratio1h", "1 hour"),
                    unit="percentunit",
                    description="Without a worker, or more than a minute behind. The objective is 0.5 % in 30 days.",
                ),
                _graph(
                    "Alerts that fire",
                    Query('count by (alertname) (ALERTS{alertstate="firing"}) or vector(0)', "{{alertname}}"),
                    unit="none",
                ),
            ],
        ),
        Row(
            "Flow",
            [
                _graph(
                    "Touchpoints by channel",
                    Query("sum by (channel) (rate(pipeline_events_total[5m])) > 0", "{{channel}}"),
                    unit="ops",
                    description="Each counted once.",
                ),
                _graph("From append to commit", *_quantiles("pipeline_event_latency_seconds"), unit="s"),
                _graph("A batch, from slice to commit", *_quantiles("pipeline_batch_seconds"), unit="s"),
                _graph("Records waiting by partition", Query("pipeline:lag_records:max", "{{partition}}")),
                _graph(
                    "Behind",
                    Query("pipeline:lag_seconds:max", "{{partition}}"),
                    unit="s",
                    description="Age of the oldest record that waits, by partition.",
                ),
                _graph(
                    "Records processed by partition",
                    Query("deriv(pipeline:next_offset:max[5m])", "{{partition}}"),
                    unit="ops",
                ),
                _graph(
                    "Event time behind the clock",
                    Query("time() - max by (partition) (pipeline_watermark_seconds)", "{{partition}}"),
                    unit="s",
                    description="Below zero: the clock of the partition's worker is fast.",
                    min_0=False,
                ),
                _graph(
                    "Held back",
                    Query("pipeline:held_back_records:max", "{{partition}}"),
                    description="Offsets that an open transaction of a producer holds back.",
                ),
            ],
        ),
        Row(
            "Journeys and customers",
            [
                _graph(
                    "Journeys",
                    Query("sum by (status) (rate(pipeline_journeys_total[5m]))", "{{status}}"),
                    unit="ops",
                    description="Opened, closed, merged into another.",
                ),
                _graph(
                    "Customers by band of churn risk",
                    Query("sum by (band) (pipeline_customers_at_risk)", "{{band}}"),
                    description="As last stored; silence moves them at a worker's next sweep.",
                ),
                _graph(
                    "Mean answer by channel",
                    Query("max by (channel) (pipeline_satisfaction_mean)", "{{channel}}"),
                    unit="none",
                    description="All answers ever given, on 0 to 100.",
                ),
            ],
        ),
        Row(
            "What goes wrong",
            [
                _graph(
                    "Rejected by reason",
                    Query("sum by (reason) (rate(pipeline_rejected_total[5m]))", "{{reason}}"),
                    unit="ops",
                ),
                _graph(
                    "Late, by channel",
                    Query("sum by (channel) (rate(pipeline_late_total[5m]))", "{{channel}}"),
                    unit="ops",
                    description="After their cover and the grace; they count.",
                ),
                _graph(
                    "Duplicates and wrong keys",
                    Query("sum(rate(pipeline_duplicates_total[5m]))", "duplicates"),
                    Query("sum(rate(pipeline_forwarded_total[5m]))", "sent on with the right key"),
                    unit="ops",
                ),
                _graph(
                    "Not published",
                    Query("max by (instance) (pipeline_unpublished_seconds)", "{{instance}}"),
                    unit="s",
                    description="Age of the oldest commit that the broker has not confirmed.",
                ),
                _graph("Journeys not published", Query("max(pipeline_unpublished_journeys)")),
                _graph(
                    "Away",
                    Query("max by (server) (pipeline_away_seconds)", "{{server}}"),
                    unit="s",
                    description="For how long a server has not answered the workers.",
                ),
                _graph(
                    "Attempts that were not answered",
                    Query("sum by (server) (increase(pipeline_retries_total[5m]))", "{{server}}"),
                    description="In five minutes.",
                ),
                _graph(
                    "Fenced batches, expired records",
                    Query("sum(increase(pipeline_fenced_total[5m]))", "fenced"),
                    Query("sum(increase(pipeline_expired_records_total[5m]))", "expired"),
                    description="In five minutes.",
                ),
            ],
        ),
        Row(
            "Who is who",
            [
                _graph(
                    "Keys named together",
                    Query("sum by (trust) (rate(pipeline_namings_total[5m]))", "{{trust}}"),
                    Query("sum(rate(pipeline_corrections_total[5m]))", "corrections"),
                    unit="ops",
                ),
                _graph(
                    "Touchpoints between keys",
                    Query("sum(rate(pipeline_transferred_touchpoints_total[5m]))", "given to a holder"),
                    Query("sum(rate(pipeline_withdrawn_touchpoints_total[5m]))", "taken back"),
                    Query("sum(rate(pipeline_direct_messages_total[5m]))", "messages within workers"),
                    unit="ops",
                ),
                _graph(
                    "Restatements",
                    Query("sum(pipeline_waiting_restatements)", "keys waiting"),
                    Query("sum(increase(pipeline_final_changes_total[1h]))", "too late, in an hour"),
                ),
                _graph("Between partitions", *_quantiles("pipeline_exchange_latency_seconds"), unit="s"),
                _graph(
                    "Messages waiting by partition",
                    Query("pipeline:exchange_lag_records:max", "{{partition}}"),
                    description="Records of touchpoints.v1.exchange.",
                ),
                _graph(
                    "Messages behind",
                    Query("pipeline:exchange_lag_seconds:max", "{{partition}}"),
                    unit="s",
                    description="Age of the oldest message that waits, by partition.",
                ),
                _graph(
                    "Shared keys",
                    Query("sum by (why) (pipeline_shared_keys)", "{{why}}"),
                    description="Keys that nobody holds, since too many use them.",
                ),
                _graph(
                    "Keys of a customer",
                    Query("max(pipeline_most_keys_of_a_customer)", "most"),
                    Query("max(pipeline_customers_with_many_keys)", "customers with more than 50"),
                ),
            ],
        ),
        Row(
            "Models",
            [
                _graph(
                    "Error of churn probabilities",
                    Query("max by (version) (pipeline_model_brier)", "{{version}}"),
                    Query("max by (version) (pipeline_model_brier_limit)", "limit of {{version}}"),
                    unit="none",
                    description="Brier score of what was foretold a horizon ago, and from where on that is too much.",
                ),
                _graph(
                    "Error of foretold answers",
                    Query("max by (model, version) (pipeline_model_error)", "{{model}} {{version}}"),
                    Query("max by (model, version) (pipeline_model_usual_error)", "usual, for {{model}} {{version}}"),
                    Query("max by (model, version) (pipeline_model_error_limit)", "limit of {{model}} {{version}}"),
                    unit="none",
                    description="Mean error in points of 100 since the fit, by what touchpoints usually get, and from "
                    "where on that is too much.",
                ),
                _graph(
                    "Calibration",
                    Query(
                        "max by (model, version) (pipeline_model_calibration_intercept)",
                        "intercept of {{model}} {{version}}",
                    ),
                    Query(
                        "max by (model, version) (pipeline_model_calibration_slope)", "slope of {{model}} {{version}}"
                    ),
                    unit="none",
                    description="0 and 1 are perfect.",
                ),
                _graph(
                    "Drift of inputs",
                    Query("max by (model, input) (pipeline_model_drift)", "{{model}}: {{input}}"),
                    unit="none",
                    description="Population stability index since the fit; above 0.25 is much.",
                ),
                _graph(
                    "Since the last check",
                    Query("time() - max by (model) (pipeline_model_checked_timestamp_seconds)", "{{model}}"),
                    unit="s",
                ),
            ],
        ),
        Row(
            "Workers",
            [
                _graph("Ready", Query("pipeline_ready", "{{instance}}"), unit="none"),
                _graph(
                    "Event loop", Query("pipeline_loop_silent_seconds", "{{instance}}"), unit="s",
                    description="Seconds since it last ran.",
                ),
                _graph(
                    "Versions", Query("count by (version, revision, compiled, python) (pipeline_build_info)",
                    "{{version}}, schema {{revision}}, compiled: {{compiled}}, Python {{python}}"), unit="none",
                ),
                _graph(
                    "Processor",
                    Query('rate(process_cpu_seconds_total{job="pipeline"}[5m])', "{{instance}}"),
                    unit="percentunit",
                    description="1 is one core, which is all that a worker can use.",
                ),
                _graph(
                    "Memory", Query('process_resident_memory_bytes{job="pipeline"}', "{{instance}}"), unit="bytes",
                ),
                _graph("Open files", Query('process_open_fds{job="pipeline"}', "{{instance}}"), unit="none"),
                _graph(
                    "Time since the start",
                    Query('time() - process_start_time_seconds{job="pipeline"}', "{{instance}}"),
                    unit="s",
                ),
            ],
        ),
        Row(
            "Audit",
            [
                _stat("Differences", Query("pipeline_audit_differences"), unit="none"),
                _stat("Touchpoints compared", Query("pipeline_audit_records")),
                _stat("Since the last audit", Query("time() - pipeline_audit_last_success_seconds"), unit="s"),
                _stat("Interval", Query("pipeline_audit_interval_seconds"), unit="s"),
                _stat("Audits that failed", Query("pipeline_audit_failures_total"), unit="none"),
                _stat("Took", Query("pipeline_audit_duration_seconds"), unit="s"),
            ],
        ),
    ],
)  # fmt: skip

KAFKA = Dashboard(
    "touchpoint-pipeline-kafka",
    "Kafka under the touchpoint pipeline",
    [
        Row(
            "From the exporter for Kafka",
            [
                _stat("Brokers", Query("kafka_brokers"), unit="none"),
                _graph(
                    "Appended",
                    Query("sum by (topic) (rate(kafka_topic_partition_current_offset[5m]))", "{{topic}}"),
                    unit="ops",
                ),
                _graph(
                    "Partitions without all replicas",
                    Query("sum by (topic) (kafka_topic_partition_under_replicated_partition)", "{{topic}}"),
                    unit="none",
                ),
                _graph(
                    "Offsets kept",
                    Query(
                        "sum by (topic) (kafka_topic_partition_current_offset) - "
                        "sum by (topic) (kafka_topic_partition_oldest_offset)",
                        "{{topic}}",
                    ),
                ),
                _graph(
                    "Lag of groups",
                    Query("sum by (consumergroup, topic) (kafka_consumergroup_lag)", "{{consumergroup}} {{topic}}"),
                    description="By committed offsets; offsets without a record count.",
                ),
            ],
        ),
    ],
)

POSTGRES = Dashboard(
    "touchpoint-pipeline-postgres",
    "Postgres under the touchpoint pipeline",
    [
        Row(
            "From the exporter for Postgres",
            [
                _stat("Answers", Query("pg_up"), unit="none"),
                _graph(
                    "Size", Query('pg_database_size_bytes{datname="pipeline"}', "{{datname}}"), unit="bytes",
                ),
                _graph(
                    "Transactions",
                    Query('rate(pg_stat_database_xact_commit{datname="pipeline"}[5m])', "committed"),
                    Query('rate(pg_stat_database_xact_rollback{datname="pipeline"}[5m])', "rolled back"),
                    unit="ops",
                ),
                _graph(
                    "Rows",
                    Query('rate(pg_stat_database_tup_inserted{datname="pipeline"}[5m])', "inserted"),
                    Query('rate(pg_stat_database_tup_updated{datname="pipeline"}[5m])', "updated"),
                    Query('rate(pg_stat_database_tup_deleted{datname="pipeline"}[5m])', "deleted"),
                    unit="ops",
                ),
                _graph(
                    "Read from memory",
                    Query(
                        'rate(pg_stat_database_blks_hit{datname="pipeline"}[5m]) / '
                        '(rate(pg_stat_database_blks_hit{datname="pipeline"}[5m]) + '
                        'rate(pg_stat_database_blks_read{datname="pipeline"}[5m]))'
                    ),
                    unit="percentunit",
                ),
                _graph(
                    "Connections", Query('sum by (state) (pg_stat_activity_count{datname="pipeline"})', "{{state}}"),
                    unit="none",
                ),
                _graph(
                    "Longest transaction", Query('max(pg_stat_activity_max_tx_duration{datname="pipeline"})'), unit="s",
                ),
                _graph("Deadlocks", Query('rate(pg_stat_database_deadlocks{datname="pipeline"}[5m])'), unit="ops"),
            ],
        ),
    ],
)  # fmt: skip

DASHBOARDS = (PIPELINE, KAFKA, POSTGRES)


def as_json(dashboard: Dashboard) -> dict[str, Any]:
    """Return a dashboard as Grafana reads it."""
    return {
        "title": dashboard.title,
        "uid": dashboard.name,
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "utc",
        "tags": ["touchpoint-pipeline"],
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Prometheus",
                    "type": "datasource",
                    "query": "prometheus",
                    "current": {},
                }
            ]
        },
        "annotations": {"list": []},
        "panels": [{"id": number, **panel} for number, panel in enumerate(_panels(dashboard), 1)],
    }


def _panels(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    y = 0
    for row in dashboard.rows:
        yield {
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"h": 1, "w": _WIDTH, "x": 0, "y": y},
        }
        x, y = 0, y + 1
        height = 0
        for panel in row.panels:
            width, height = (4, 4) if panel.stat else (8, 8)
            if x + width > _WIDTH:
                x, y = 0, y + height
            yield _panel(panel, {"h": height, "w": width, "x": x, "y": y})
            x += width
        y += height


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    options: dict[str, Any] = {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return {
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, **({"min": 0} if panel.min_0 else {})}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "expr": query.expression,
                "legendFormat": query.legend,
                "datasource": source,
            }
            for number, query in enumerate(panel.queries)
        ],
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}} if panel.stat else options,
    }


def main() -> None:
    """Write all dashboards."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for dashboard in DASHBOARDS:
        file = FOLDER / f"{dashboard.name}.json"
        file.write_text(json.dumps(as_json(dashboard), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
