"""A month of a real bank's calls: through the adapter, the topic and the worker, into `pipeline touchpoints`."""

from __future__ import annotations

import csv
import json
import math
from statistics import fmean

from datasets import dataset
from harness import Pipe


def test_the_abandonment_share_and_the_waits_of_real_calls_come_out_in_pipeline_touchpoints(pipe: Pipe) -> None:
    file = dataset("anonymous_bank_calls", "data_anonymous_bank_february.txt")
    with file.open(newline="") as lines:
        calls = list(csv.DictReader(lines, delimiter="\t"))

    published = json.loads(pipe.run("publish", "--from", "bank-calls", "--json", str(file)).stdout)
    assert published["rejected"] == 0
    pipe.work()
    rows = {
        (row["channel"], row["kind"]): row
        for row in json.loads(pipe.run("touchpoints", "--channel", "call_centre", "--json").stdout)
    }

    queued = rows["call_centre", "call_queued"]
    gave_up = [call for call in calls if call["outcome"] == "HANG"]
    assert queued["events"] == len(calls) == 33_344
    assert queued["abandoned"] == len(gave_up)
    assert round(100 * queued["abandoned_share"], 1) == 17.7
    assert math.isclose(queued["wait_ms_mean"], 1000 * fmean(int(call["q_time"]) for call in calls))
    abandoned = rows["call_centre", "call_abandoned"]
    assert abandoned["events"] == len(gave_up)
    assert math.isclose(abandoned["wait_ms_mean"], 1000 * fmean(int(call["q_time"]) for call in gave_up))
    assert pipe.sql("SELECT 1 FROM quarantine") == []
    # Calls for help are no signs of life, so that nothing is said of who leaves.
    assert pipe.sql("SELECT 1 FROM churn_risk") == []
