"""The real `ombud serve` with named points in it: `python -m faults.gateway`."""

from __future__ import annotations

import sys

from faults.points import after
from starter import serve
from starter.client import Ombud


def install() -> None:
    """Put the points of the gateway behind what it asks of Temporal."""
    Ombud.open = after("opened", Ombud.open)  # type: ignore[method-assign]
    Ombud.tell = after("told", Ombud.tell)  # type: ignore[method-assign]


if __name__ == "__main__":
    install()
    sys.exit(serve.main())
