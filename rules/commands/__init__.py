"""What people report to a complaint, one class a command.

A command records an act done elsewhere; only notices are sent by Ombud. Its class says what it carries, who may
report it, which acts it counts as, and what becomes of its words. The docstring is what people read in the Web UI.
"""

from __future__ import annotations

from rules.commands.base import CONTENT, ClockId, Command, Content, EntryNumber, MaybeContent, Via
from rules.commands.customer import Accept, AnswerSurvey, CustomerWrites, NoReplyNeeded, Reject, TakeBack, Withdraw
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
from rules.commands.parties import (
    Acknowledge,
    AnswerDemand,
    AnswerRequest,
    ConfirmReport,
    ContestRequest,
    Demand,
    GiveUp,
    Request,
    Waive,
)
from rules.commands.record import (
    ApproveCorrection,
    Assign,
    Correct,
    Link,
    Merge,
    Note,
    Reclassify,
    Recuse,
    Replan,
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
    "AnswerDemand",
    "AnswerRequest",
    "AnswerSurvey",
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
    "Demand",
    "Done",
    "EntryNumber",
    "Explain",
    "Findings",
    "GiveUp",
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
    "Replan",
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
        Accept, Reject, AnswerSurvey, Withdraw, TakeBack, CustomerWrites, NoReplyNeeded, Reclassify, Assign, Recuse,
        Explain, Request, AnswerRequest, ContestRequest, Demand, AnswerDemand, Waive, ConfirmReport, Correct,
        ApproveCorrection, Replan, Link, Merge, UndoMerge, Acknowledge, GiveUp, Note, Close,
    )
}  # fmt: skip
"""Every command by its name, which is also the name of its update and its signal."""

BETWEEN: dict[str, type[Command]] = {c.name: c for c in (Absorb, Release)}
"""What complaints say to each other. People have no use for it."""
