"""Builds the package. With PIPELINE_COMPILE=1 the modules in which a worker spends its time are compiled to C.

They are the same files, by mypyc, which is part of mypy; it needs a C compiler. Everything else about the package
stands in pyproject.toml.
"""

from __future__ import annotations

import os

from setuptools import setup

#: What is called for each touchpoint, journey or customer.
COMPILED = [
    "pipeline/contract/partition.py",
    "pipeline/contract/columnar_keys.py",
    "pipeline/contract/columnar_touchpoints.py",
    "pipeline/contract/avro_primitives.py",
    "pipeline/flow/admission.py",
    "pipeline/flow/advance.py",
    "pipeline/flow/columnar_admission.py",
    "pipeline/flow/counts.py",
    "pipeline/flow/dedupe.py",
    "pipeline/flow/exchange.py",
    "pipeline/flow/identities.py",
    "pipeline/flow/identity_effects.py",
    "pipeline/flow/identity_needs.py",
    "pipeline/flow/joined_customer.py",
    "pipeline/flow/naming.py",
    "pipeline/flow/partitioner.py",
    "pipeline/flow/revisions.py",
    "pipeline/flow/scoring.py",
    "pipeline/flow/sessions.py",
    "pipeline/flow/state.py",
    "pipeline/flow/telling.py",
    "pipeline/flow/traits.py",
    "pipeline/flow/watermark.py",
    "pipeline/identity/key_identity.py",
    "pipeline/identity/segments.py",
    "pipeline/identity/stretches.py",
    "pipeline/journey/admitted.py",
    "pipeline/journey/journey.py",
    "pipeline/journey/sessionize.py",
    "pipeline/journey/step.py",
    "pipeline/journey/steps.py",
    "pipeline/ledger/commit.py",
    "pipeline/ledger/commit_identity.py",
    "pipeline/ledger/steps.py",
    "pipeline/publishing/records.py",
    "pipeline/publishing/serializers.py",
    "pipeline/scores/churn/reasons.py",
    "pipeline/scores/churn/score.py",
    "pipeline/scores/decay.py",
    "pipeline/scores/evidence/score.py",
    "pipeline/scores/evidence/sums.py",
    "pipeline/scores/satisfaction/estimate.py",
    "pipeline/scores/satisfaction/score.py",
]

if os.environ.get("PIPELINE_COMPILE") == "1":
    from mypyc.build import mypycify

    setup(ext_modules=mypycify(COMPILED))
else:
    setup()
