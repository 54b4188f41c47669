"""Builds the package. With PIPELINE_COMPILE=1 the modules in which a worker spends its time are compiled to C.

They are the same files, by mypyc, which is part of mypy; it needs a C compiler. Everything else about the package
stands in pyproject.toml.
"""

from __future__ import annotations

import os

from setuptools import setup

#: What is called for each touchpoint, journey or customer.
COMPILED = [
    "pipeline/churn/reasons.py",
    "pipeline/contract/partition.py",
    "pipeline/contract/plain.py",
    "pipeline/contract/wire.py",
    "pipeline/flow/admit.py",
    "pipeline/flow/advance.py",
    "pipeline/flow/homes.py",
    "pipeline/flow/many.py",
    "pipeline/flow/scores.py",
    "pipeline/flow/state.py",
    "pipeline/flow/values.py",
    "pipeline/flow/words.py",
    "pipeline/journey/journey.py",
    "pipeline/journey/sessionize.py",
    "pipeline/journey/step.py",
    "pipeline/ledger/commit.py",
    "pipeline/ledger/steps.py",
    "pipeline/satisfaction/estimate.py",
    "pipeline/stream/bodies.py",
    "pipeline/stream/records.py",
]

if os.environ.get("PIPELINE_COMPILE") == "1":
    from mypyc.build import mypycify

    setup(ext_modules=mypycify(COMPILED))
else:
    setup()
