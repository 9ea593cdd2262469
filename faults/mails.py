"""The judge of notices: what was planned, claimed and on the wire. Pure: values in, findings out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from faults.judge import Finding
from faults.laws import GONE
from faults.post import Received


class NoticeRow(NamedTuple):
    """One notice as the tables have it at the end."""

    key: str
    complaint: str
    role: str
    message: str | None
    accepted: bool
    undeliverable: bool
    acknowledged: bool


class Claim(NamedTuple):
    """A message that the ledger has as claimed."""

    message: str
    notices: Sequence[str]
    person: str
    at: datetime


class Recused(NamedTuple):
    """Somebody who may have nothing to do with a complaint, since that was committed."""

    complaint: str
    person: str
    since: datetime


@dataclass(frozen=True)
class Mails:
    """All that is known of notices after a run."""

    planned: Mapping[str, str]
    """The complaint of each notice that a ledger plans, by its key."""
    rows: Sequence[NoticeRow]
    claims: Sequence[Claim]
    received: Sequence[Received]
    """What the mail server took, in order."""
    domain: str
    recused: Sequence[Recused] = ()
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    @property
    def copies(self) -> int:
        """Mails on the wire that were there before."""
        return len(self.received) - len({mail.message_id for mail in self.received})

    def findings(self) -> Iterator[Finding]:
        """Every notice that was lost or claimed twice, and every mail that cannot be told for what it is."""
        yield from self._ends()
        yield from self._claimed()
        yield from self._wire()
        yield from self._impartial()

    def _ends(self) -> Iterator[Finding]:
        """Each planned notice has one end; which one is for its role to say."""
        rows = {row.key: row for row in self.rows}
        for key, complaint in self.planned.items():
            row = rows.get(key)
            if row is None:
                self.lost.append(key)
                yield Finding(complaint, f"the notice {key} is planned in the ledger and stands in no table")
            elif row.message is None and not row.acknowledged:
                self.lost.append(key)
                yield Finding(complaint, f"the notice {key} was never claimed")
            elif row.message is not None and not (row.accepted or row.undeliverable):
                self.lost.append(key)
                yield Finding(complaint, f"the notice {key} was claimed and never sent")
            elif row.message is not None and row.undeliverable != (row.role == GONE):
                self.lost.append(key)
                became = "undeliverable" if row.undeliverable else "accepted"
                yield Finding(complaint, f"the notice {key} became {became}, which its story does not say")
        for key in rows.keys() - self.planned.keys():
            yield Finding(rows[key].complaint, f"the notice {key} stands in the tables and in no ledger")

    def _claimed(self) -> Iterator[Finding]:
        times = Counter(key for claim in self.claims for key in claim.notices)
        for key, count in times.items():
            if count > 1:
                self.doubled.append(key)
                yield Finding(self.planned.get(key, "?"), f"the notice {key} was claimed {count} times")

    def _wire(self) -> Iterator[Finding]:
        """What was accepted was on the wire, and a copy is the same bytes under the same Message-ID."""
        bytes_of: dict[str, set[str]] = defaultdict(set)
        for mail in self.received:
            bytes_of[mail.message_id].add(mail.sha256)
        known = {f"<{claim.message}@{self.domain}>" for claim in self.claims}
        for row in self.rows:
            if row.accepted and f"<{row.message}@{self.domain}>" not in bytes_of:
                self.lost.append(row.key)
                yield Finding(row.complaint, f"the notice {row.key} counts as accepted, and no mail server took it")
        for message_id, contents in bytes_of.items():
            if message_id not in known:
                yield Finding("?", f"the mail {message_id} was never claimed")
            if len(contents) > 1:
                yield Finding("?", f"the mail {message_id} was sent with {len(contents)} contents")

    def _impartial(self) -> Iterator[Finding]:
        """Nobody was told of a complaint that they may have nothing to do with (rule 37)."""
        since = {(one.complaint, one.person): one.since for one in self.recused}
        for claim in self.claims:
            for key in claim.notices:
                known = since.get((self.planned.get(key, ""), claim.person))
                if known is not None and claim.at > known:
                    yield Finding(self.planned[key], f"{claim.person} was told {key} and may know nothing of it")
