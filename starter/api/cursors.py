"""Where the next page begins, as a word that only we can write and that fits one query of one token."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from starter.api.problems import ApiError
from storage.records import Position


class Cursors:
    """Signs and reads cursors."""

    def __init__(self, signing_key: str) -> None:
        self._signer = URLSafeSerializer(signing_key, salt="ombud cursor")

    def write(self, query: str, place: list[Any]) -> str:
        return self._signer.dumps([_short(query), *place])

    def read(self, query: str, cursor: str) -> list[Any]:
        """The place behind which to go on. Raises ApiError for a cursor that was changed, or is of another query."""
        try:
            of, *place = self._signer.loads(cursor)
        except (BadData, TypeError, ValueError):
            raise ApiError(
                422, "invalid", "cursor: is none of ours; send `next` of the page before as it is."
            ) from None
        if of != _short(query):
            detail = "cursor: belongs to another query; send it with the filters of the page before."
            raise ApiError(422, "invalid", detail)
        return list(place)

    def position(self, query: str, cursor: str | None) -> Position | None:
        if cursor is None:
            return None
        received_at, id_ = self.read(query, cursor)
        return Position(datetime.fromisoformat(received_at), id_)

    def after(self, query: str, position: Position | None) -> str | None:
        return self.write(query, [position.received_at.isoformat(), position.id]) if position else None


def _short(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()[:24]
