"""Touchpoints that happen as they come, with probes among them whose way can be followed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from bench.scenarios import Record, now_ms
from bench.templates import Template, called, moment, templates
from pipeline.contract.encode import Encoder

#: One event of so many is a probe.
_PROBE_EVERY = 10


class Stream:
    """Simulated touchpoints, which happen now; without end, at little cost.

    Each simulated journey is a customer's of their own. `apart` is how many events of others there are between two of
    a journey, typically, or less than one to leave that as it is simulated. While `probing`, every tenth event is a
    probe: of a customer who comes once, and whose key begins with `probe`. There are `probes` of them.
    """

    probe = b"customer:p"

    def __init__(self, number: int, encoder: Encoder, apart: float = 0) -> None:
        self._templates = templates(number, max(1, number // 25), encoder)
        self._copies = max(1, round(apart / _apart(self._templates)))
        self.probing, self.probes = False, 0

    def __iter__(self) -> Iterator[Record]:
        for made, (template, person) in enumerate(self._people()):
            if self.probing and made % _PROBE_EVERY == 0:
                self.probes += 1
                person = b"p%010d." % self.probes
            yield template.record(made, person, moment(now_ms()))

    def _people(self) -> Iterator[tuple[Template, bytes]]:
        """As many simulations as there are copies, in turn; each begins elsewhere, and anew with other customers."""
        base, copies = self._templates, self._copies
        for step in count():
            for copy in range(copies):
                round_, place = divmod(step + copy * len(base) // copies, len(base))
                template = base[place]
                yield template, called(round_ * copies + copy, template.journey % 1000)


def _apart(base: Sequence[Template]) -> float:
    """Return how many events there are from one of a journey to the next, in the median."""
    last: dict[tuple[bytes, int], int] = {}
    found = []
    for place, template in enumerate(base):
        key = template.name, template.journey
        if key in last:
            found.append(place - last[key])
        last[key] = place
    return max(1, sorted(found)[len(found) // 2]) if found else 1
