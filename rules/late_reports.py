"""A timely act that was reported only after its clock was missed: what the contract lets it count as (invariant 2)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from rules import terms
from rules.calendar import WorkingCalendar
from rules.clock_record import Report
from rules.complaint import Act
from rules.contract import LateReports


class Judged(NamedTuple):
    """How a late report stands, why it does not count, and which role is asked to confirm it."""

    report: Report
    why: str = ""
    asks: str = ""

    def data(self) -> dict[str, Any]:
        """What the ledger keeps of it."""
        return {"report": self.report, **({"why": self.why} if self.why else {})}


def judged(acts: Iterable[Act], due: datetime, section: LateReports, calendar: WorkingCalendar) -> Judged:
    """The standing of a report by these acts. Those that were known by the due are not late and ask for nothing; nor
    does the acceptance of a notice, which the recipient's server proves.
    """
    late = [act for act in acts if act.recorded_at > due and act.notice is None]
    for act in late:
        if section.within is not None and act.recorded_at > terms.due(section.within, act.at, calendar).at:
            return Judged("not_counted", f"reported later than {section.within} after it was done")
        if section.needs is not None and not act.proved:
            return Judged("not_counted", f"reported without {section.needs}")
    if late and section.confirmed_by:
        return Judged("unconfirmed", asks=section.confirmed_by)
    return Judged("confirmed")
