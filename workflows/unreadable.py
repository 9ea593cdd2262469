"""What came sealed and could not be opened: said so, in words its sender understands."""

from __future__ import annotations

import re
from typing import Any

from temporalio.common import RawValue

_ID = re.compile(r"[0-9a-f]{16}")


def sealed(value: Any) -> str:
    """Why this input cannot be read; nothing unless it is sealed still (docs/codec.md)."""
    if not isinstance(value, RawValue) or value.payload.metadata.get("encoding") != b"binary/encrypted":
        return ""
    key = value.payload.metadata.get("encryption-key-id", b"").decode(errors="replace")
    named = f"master key {key}" if _ID.fullmatch(key) else "no master key that it names"
    return f"It is sealed under {named}, and no worker could open it: the key is not in its settings, or bytes changed."
