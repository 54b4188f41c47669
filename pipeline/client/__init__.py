"""For channel systems and downstream services: a publisher, the identifiers it takes, and a consumer of journeys."""

from __future__ import annotations

from pipeline.channels.hashing import identifier
from pipeline.client.journeys import JourneyConsumer, JourneyRevision, JourneyStep
from pipeline.client.outgoing import Unpublishable
from pipeline.client.publisher import Publisher

__all__ = ["JourneyConsumer", "JourneyRevision", "JourneyStep", "Publisher", "Unpublishable", "identifier"]
