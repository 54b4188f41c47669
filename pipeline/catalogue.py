"""The touchpoint catalogue: what is known of a kind, and who began it, where the event itself does not say."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from pipeline.contract.validate import check_kind
from pipeline.errors import PipelineError
from pipeline.identity.naming import DECLARED, NONE, TRUSTS
from pipeline.touchpoint import CHANNELS, INITIATORS, ROLES, STAGES

MODALITIES = ("digital", "in_person")

_FILE = "catalogue.toml"
_CHANNEL_FIELDS = frozenset({"modality", "by"})
_KIND_NEEDS = frozenset({"stage", "by", "role", "channels", "meaning"})
_KIND_FIELDS = _KIND_NEEDS | {"modality", "identity"}


class Entry(NamedTuple):
    """What is known of a kind on a channel.

    `stage` is None for an uncatalogued kind. `modality` is in_person when a human being serves, face to face or by
    voice. `initiated_by` is customer or company. `meaning` is one line, empty for an uncatalogued kind. `identity` is
    the trust in two keys that such an event names: verified, declared or none. `role` is one of `ROLES`, None for an
    uncatalogued kind.
    """

    kind: str
    stage: str | None
    modality: str
    initiated_by: str
    meaning: str
    catalogued: bool
    identity: str
    role: str | None


class Kind(NamedTuple):
    """A catalogued kind as the file says it; `modality` None means that of the event's channel."""

    stage: str
    initiated_by: str
    modality: str | None
    channels: tuple[str, ...]
    meaning: str
    identity: str
    role: str


class ChannelDefaults(NamedTuple):
    """What holds on a channel for kinds that are not catalogued, and for those that leave the modality to it."""

    modality: str
    initiated_by: str


class Catalogue:
    """All catalogued kinds; `entry` answers for every other kind, too."""

    def __init__(self, version: int, kinds: Mapping[str, Kind], channels: Mapping[str, ChannelDefaults]) -> None:
        self.version = version
        self.kinds = kinds
        self.channels = channels

    def entry(self, channel: str, kind: str) -> Entry:
        """What is known of `kind` on `channel`; of an unknown kind, or on an unknown channel, its channel's defaults.

        Never fails. Nothing is kept, so that made-up kinds can't fill the memory.
        """
        defaults = self.channels.get(channel) or self.channels["unknown"]
        known = self.kinds.get(kind)
        if known is None:
            return Entry(kind, None, defaults.modality, defaults.initiated_by, "", False, DECLARED, None)
        modality = known.modality or defaults.modality
        return Entry(kind, known.stage, modality, known.initiated_by, known.meaning, True, known.identity, known.role)


@cache
def load() -> Catalogue:
    """Return the catalogue that stands in `schemas/catalogue.toml`.

    Raises PipelineError when the file is not as it should.
    """
    try:
        text = (files("pipeline.contract") / "schemas" / _FILE).read_text(encoding="utf-8")
        return parse(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError) as error:
        raise PipelineError(f"The touchpoint catalogue schemas/{_FILE} can't be used: {error}") from None


def parse(document: Mapping[str, Any]) -> Catalogue:
    """Return a catalogue from its TOML document; raises ValueError that says what is wrong in which place."""
    if unknown := set(document) - {"version", "channel", "kind"}:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}; it takes version, [channel] and [kind]")
    version = document.get("version")
    if type(version) is not int or version < 1:
        raise ValueError(f"version is {version!r}; it takes a whole number from 1")
    channels = {name: _channel(name, table) for name, table in _tables(document, "channel")}
    if missing := [name for name in CHANNELS if name not in channels]:
        raise ValueError(f"[channel] lacks {', '.join(missing)}")
    return Catalogue(version, {name: _kind(name, table) for name, table in _tables(document, "kind")}, channels)


def _channel(name: str, table: Mapping[str, Any]) -> ChannelDefaults:
    place = f"channel.{name}"
    _one_of(place, name, CHANNELS)
    _fields(place, table, _CHANNEL_FIELDS, _CHANNEL_FIELDS)
    return ChannelDefaults(
        _one_of(f"{place}.modality", table["modality"], MODALITIES), _one_of(f"{place}.by", table["by"], INITIATORS)
    )


def _kind(name: str, table: Mapping[str, Any]) -> Kind:
    place = f"kind.{name}"
    if (wrong := check_kind(name)) is not None:
        raise ValueError(f"{place}: {wrong.detail}")
    _fields(place, table, _KIND_NEEDS, _KIND_FIELDS)
    channels, meaning, modality = table["channels"], table["meaning"], table.get("modality")
    if not isinstance(channels, list) or not channels:
        raise ValueError(f"{place}.channels must list at least one channel")
    if not isinstance(meaning, str) or not meaning or "\n" in meaning:
        raise ValueError(f"{place}.meaning must be one line")
    return Kind(
        stage=_one_of(f"{place}.stage", table["stage"], STAGES),
        initiated_by=_one_of(f"{place}.by", table["by"], INITIATORS),
        modality=None if modality is None else _one_of(f"{place}.modality", modality, MODALITIES),
        channels=tuple([_one_of(f"{place}.channels", channel, CHANNELS) for channel in channels]),
        meaning=meaning,
        identity=_one_of(f"{place}.identity", table.get("identity", NONE), TRUSTS),
        role=_one_of(f"{place}.role", table["role"], ROLES),
    )


def _tables(document: Mapping[str, Any], name: str) -> list[tuple[str, Mapping[str, Any]]]:
    tables = document.get(name)
    if not isinstance(tables, Mapping) or not all(isinstance(table, Mapping) for table in tables.values()):
        raise ValueError(f"[{name}] must hold tables, as NAME = {{ … }}")
    return list(tables.items())


def _fields(place: str, table: Mapping[str, Any], needed: frozenset[str], allowed: frozenset[str]) -> None:
    if missing := sorted(needed - set(table)):
        raise ValueError(f"{place} lacks {', '.join(missing)}")
    if unknown := sorted(set(table) - allowed):
        raise ValueError(f"{place} has unknown {', '.join(unknown)}; it takes {', '.join(sorted(allowed))}")


def _one_of(place: str, value: object, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{place} is {value!r}; it takes one of {', '.join(allowed)}")
    return value
