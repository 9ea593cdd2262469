"""Words that operations read beside a workflow, a timer or an activity: ids, clauses, kinds. Never a customer's."""

from __future__ import annotations

LABEL = "ombud-label"
"""Metadata of a payload that is a label: it stays readable when everything else is sealed."""


class Label(str):
    """A text that may stand in the clear in Temporal, made of ids alone (invariant 19)."""

    __slots__ = ()
