"""Columnar decoding of keys: each record's own key, and the weaker ones that it names, by `touchpoint.KEY_TYPES`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.contract.columnar_avro import Fields, Ints, Spans, Texts
from pipeline.contract.identifiers import is_acceptable
from pipeline.touchpoint import ANONYMOUS, CUSTOMER, MAX_TEXT, rank, weaker_keys

_ANONYMOUS = f"{ANONYMOUS}:"
#: By whether there is a customer's number.
_PREFIXES = (_ANONYMOUS.encode(), f"{CUSTOMER}:".encode())
#: Types of keys that other fields name.
_OTHERS = (CUSTOMER, ANONYMOUS)
_MAX_NAME = MAX_TEXT - max(map(len, _PREFIXES))


class NamedKeys(NamedTuple):
    """Each row's own key, and by index the weaker ones of rows that name some.

    It is not yet checked whether they name somebody, and whether the weaker ones can be stored.
    """

    own: list[bytes]
    weaker: dict[int, tuple[str, ...]]


class KeyReader:
    """Reads the keys of records, of which all texts are ASCII.

    Sets rows of `is_regular` to False where no key is named, or one that is unusual.
    """

    def __init__(
        self, data: bytes, is_regular: NDArray[np.bool_], customer: Texts, anonymous: Texts, identifiers: Spans | None
    ) -> None:
        self._data, self._text = data, data.decode("latin-1")  # each byte one character
        self._customer, self._anonymous = customer, anonymous
        size = np.where(customer.size > 0, customer.size, anonymous.size)
        is_named = (size > 0) & (size <= _MAX_NAME)
        #: Keys of identifiers by row, the strongest first.
        self._identified = {} if identifiers is None else self._read_identifiers(identifiers, is_regular)
        if self._identified:
            unnamed = [row for row in np.flatnonzero(customer.size <= 0).tolist() if row in self._identified]
            is_named[unnamed] = [len(self._identified[row][0]) <= MAX_TEXT for row in unnamed]
        is_regular &= is_named

    def keys(self, rows: Ints) -> NamedKeys:
        """Return the keys of regular rows."""
        data, text = self._data, self._text
        is_customer, anonymous = self._customer.size[rows] > 0, _ends(self._anonymous, rows)
        names = np.where(is_customer, _ends(self._customer, rows), anonymous)
        own = [_PREFIXES[which] + data[a:b] for which, a, b in zip(is_customer.tolist(), *names.tolist(), strict=True)]
        if not self._identified:
            both = np.flatnonzero(is_customer & (self._anonymous.size[rows] > 0))
            places = zip(both.tolist(), *anonymous[:, both].tolist(), strict=True)
            return NamedKeys(own, {place: (_ANONYMOUS + text[a:b],) for place, a, b in places})
        weaker: dict[int, tuple[str, ...]] = {}
        named = zip(rows.tolist(), is_customer.tolist(), *anonymous.tolist(), strict=True)
        for place, (row, has_customer, a, b) in enumerate(named):
            others = (_ANONYMOUS + text[a:b],) if a < b else ()
            keys = self._identified.get(row)
            if keys is None:
                if has_customer and others:
                    weaker[place] = others
            elif has_customer:
                weaker[place] = (*keys, *others)
            else:
                own[place] = keys[0].encode()
                if others or len(keys) > 1:
                    weaker[place] = weaker_keys((*keys, *others))
        return NamedKeys(own, weaker)

    def _read_identifiers(self, spans: Spans, is_regular: NDArray[np.bool_]) -> dict[int, list[str]]:
        """Return the keys of identifiers by row, the strongest first, each once.

        A row with an identifier that is not acceptable, or of a type that other keys have, is not regular.
        """
        text = self._text
        found: dict[int, list[str]] = {}
        for which, (fields,) in spans.items:
            types, values = _texts(fields, "type"), _texts(fields, "value")
            if types is None or values is None:
                is_regular[which] = False
                continue
            regular = np.flatnonzero(is_regular[which])
            for row, a, b, c, d in zip(
                which[regular].tolist(), *_ends(types, regular).tolist(), *_ends(values, regular).tolist(), strict=True
            ):
                type, value = text[a:b], text[c:d]
                if not is_acceptable(type, value) or type in _OTHERS or ":" in type:
                    is_regular[row] = False
                elif type and value:
                    if row in found:
                        found[row].append(f"{type}:{value}")
                    else:
                        found[row] = [f"{type}:{value}"]
        for row, keys in found.items():
            if len(keys) > 1:
                found[row] = sorted(dict.fromkeys(keys), key=rank)
        return found


def _texts(column: object, name: str) -> Texts | None:
    texts = column.by_name.get(name) if isinstance(column, Fields) else None
    return texts if isinstance(texts, Texts) else None


def _ends(texts: Texts, rows: Ints) -> Ints:
    """Return where texts begin, and where they end."""
    start = texts.start[rows]
    return np.stack((start, start + np.maximum(texts.size[rows], 0)))
