"""What people report to a complaint, one class a command.

A command records an act done elsewhere; only notices are sent by Ombud. Its class says what it carries, who may
report it, which acts it counts as, and what becomes of its words. The docstring is what people read in the Web UI.
"""

from __future__ import annotations

from rules.commands.base import CONTENT, ClockId, Command, Content, EntryNumber, MaybeContent, Via
from rules.commands.customer import Accept, CustomerWrites, NoReplyNeeded, Reject, Withdraw
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
from rules.commands.opening import Complainant, OpenComplaint
from rules.commands.parties import Acknowledge, AnswerRequest, ConfirmReport, ContestRequest, Request, Waive
from rules.commands.record import ApproveCorrection, Assign, Correct, Note, Reclassify

__all__ = [
    "COMMANDS",
    "CONTENT",
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
    "EntryNumber",
    "Explain",
    "Findings",
    "HandOver",
    "MaybeContent",
    "Measure",
    "NoReplyNeeded",
    "Note",
    "OpenComplaint",
    "PreliminaryPlan",
    "Propose",
    "Reclassify",
    "Reject",
    "Request",
    "Resolve",
    "Respond",
    "TellResult",
    "UpdateCustomer",
    "Via",
    "Waive",
    "Withdraw",
]

COMMANDS: dict[str, type[Command]] = {
    c.name: c
    for c in (
        Respond, Answer, HandOver, UpdateCustomer, Contact, PreliminaryPlan, Findings, Propose, TellResult, Resolve,
        Accept, Reject, Withdraw, CustomerWrites, NoReplyNeeded, Reclassify, Assign, Explain,
        Request, AnswerRequest, ContestRequest, Waive, ConfirmReport, Correct, ApproveCorrection,
        Acknowledge, Note, Close,
    )
}  # fmt: skip
"""Every command by its name, which is also the name of its update and its signal."""
