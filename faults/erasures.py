"""The judge of erasures: what is left of the words of a complaint that was erased. Pure: values in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from faults.judge import Finding


class Words(NamedTuple):
    """What is left of one complaint that was erased, once it is closed and Temporal was told to forget it.

    Times are those of commits.
    """

    complaint: str
    erased: Sequence[datetime]
    """When it was put on record."""
    forgotten: Sequence[datetime]
    """When it was put on record that Temporal was told to delete all of it."""
    texts: Sequence[datetime]
    """Its texts, which nobody can read without a key."""
    key: bool
    """Whether there is a key to them."""
    opened: datetime
    """The first entry of its ledger."""
    ended: datetime
    """The last one."""
    runs: int
    """Histories that Temporal holds of it."""

    @property
    def midst(self) -> bool:
        """Whether it was open still, or went on for a while: entries came behind its erasure."""
        return self.ended > min(self.erased, default=self.ended)

    def findings(self) -> Iterator[Finding]:
        """What was not destroyed or was kept since, and what is not on record as it was."""
        if self.key:
            yield Finding(self.complaint, "it was erased, and there is a key to its words")
        if len(self.erased) != 1:
            yield Finding(self.complaint, f"its erasure is on record {len(self.erased)} times")
        if later := [at for at in self.texts if at > min(self.erased, default=at)]:
            yield Finding(self.complaint, f"it was erased, and {len(later)} texts were kept after that")
        if max(self.forgotten, default=self.opened) < self.ended:
            yield Finding(self.complaint, "nothing on record says that Temporal was told to forget all of it")
        if self.runs:
            yield Finding(self.complaint, f"it was erased, and Temporal holds {self.runs} of its histories")
