"""What people report to a complaint, one class a command.

A command records an act done elsewhere; only notices are sent by Ombud. Its class says what it carries, who may
report it, which acts it counts as, and what becomes of its words. The docstring is what people read in the Web UI.
"""

from __future__ import annotations

from rules.commands.base import CONTENT, ClockId, Command, Content, EntryNumber, MaybeContent, Via
from rules.commands.customer import Accept, CustomerWrites, NoReplyNeeded, Reject, TakeBack, Withdraw
from rules.commands.handling import (
    Answer,
    Close,
    Contact,
    Explain,
    Findings,
    HandOver,
    Measure,
    PreliminaryPlan,
    Propose,
    Resolve,
    Respond,
    TellResult,
    UpdateCustomer,
)
from rules.commands.merging import Absorb, Done, Release
from rules.commands.opening import Complainant, OpenComplaint
from rules.commands.parties import Acknowledge, AnswerRequest, ConfirmReport, ContestRequest, Request, Waive
from rules.commands.record import (
    ApproveCorrection,
    Assign,
    Correct,
    Link,
    Merge,
    Note,
    Reclassify,
    Recuse,
    UndoMerge,
)

__all__ = [
    "BETWEEN",
    "COMMANDS",
    "CONTENT",
    "Absorb",
    "Accept",
    "Acknowledge",
    "Answer",
    "AnswerRequest",
    "ApproveCorrection",
    "Assign",
    "ClockId",
    "Close",
    "Command",
    "Complainant",
    "ConfirmReport",
    "Contact",
    "Content",
    "ContestRequest",
    "Correct",
    "CustomerWrites",
    "Done",
    "EntryNumber",
    "Explain",
    "Findings",
    "HandOver",
    "Link",
    "MaybeContent",
    "Measure",
    "Merge",
    "NoReplyNeeded",
    "Note",
    "OpenComplaint",
    "PreliminaryPlan",
    "Propose",
    "Reclassify",
    "Recuse",
    "Reject",
    "Release",
    "Request",
    "Resolve",
    "Respond",
    "TakeBack",
    "TellResult",
    "UndoMerge",
    "UpdateCustomer",
    "Via",
    "Waive",
    "Withdraw",
]

COMMANDS: dict[str, type[Command]] = {
    c.name: c
    for c in (
        Respond, Answer, HandOver, UpdateCustomer, Contact, PreliminaryPlan, Findings, Propose, TellResult, Resolve,
        Accept, Reject, Withdraw, TakeBack, CustomerWrites, NoReplyNeeded, Reclassify, Assign, Recuse, Explain,
        Request, AnswerRequest, ContestRequest, Waive, ConfirmReport, Correct, ApproveCorrection,
        Link, Merge, UndoMerge, Acknowledge, Note, Close,
    )
}  # fmt: skip
"""Every command by its name, which is also the name of its update and its signal."""

BETWEEN: dict[str, type[Command]] = {c.name: c for c in (Absorb, Release)}
"""What complaints say to each other. People have no use for it."""
