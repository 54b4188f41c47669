"""Parameters of which a model has one for each of several things, such as a mean for each touchpoint."""

from __future__ import annotations

from collections.abc import Mapping


def named(parameters: Mapping[str, float], prefix: str) -> dict[str, float]:
    """Return the parameters whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): float(value) for name, value in parameters.items() if name.startswith(prefix)}
