"""The row of the evidence about a customer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pipeline.rows import NUMBERS, TEXT, Table


class EvidenceRow(NamedTuple):
    """Sums of evidence (`sums.Evidence`) by name, and the churn model whose half-life they were weighed with."""

    customer: Annotated[str, TEXT]
    evidence: Annotated[Mapping[str, int], NUMBERS]
    model: Annotated[str, TEXT]


TABLE = Table("customer_evidence", EvidenceRow, key=("customer",))
