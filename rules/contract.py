"""The contract as a value: the model of the contract file, and of its immutable published version.

Nothing here knows which party is which (rule sheet, ambiguity 1): parties are names, roles start with a party's
name, levels and categories are whatever the file lists, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from rules.calendar_spec import CalendarSpec
from rules.section import LANGUAGES, Language, Line, Names, Section, Title, Titled, Words
from rules.survey_section import Survey
from rules.terms import Term
from rules.values import Code, Level, Name

__all__ = ["LANGUAGES", "Language", "Line", "Names", "Section", "Survey", "Title", "Titled", "Words"]
"""What this module hands on besides its own."""

Kind = Literal["complaint", "suggestion", "request", "enquiry"]
"""Rule 3: what somebody brings is one of these four."""
KINDS: tuple[Kind, ...] = ("complaint", "suggestion", "request", "enquiry")

Stage = Literal["received", "classified", "answered", "investigating", "proposed", "resolved", "confirming", "closed"]
"""Where a complaint stands (rule 1). A contract lists which of them it needs."""


def _address(email: str) -> str:
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise ValueError(f"{email!r} is no e-mail address")
    return email


class Party(Section):
    """Rule 6: a party, traceable; rules 121-122: the addresses at which it is served."""

    name: str
    address: str
    phone: str = ""
    email: Annotated[str, AfterValidator(_address)] = ""
    representative: str = ""


class Role(Section):
    """Somebody of a party, by office. The directory says which person stands behind it now."""

    title: Title
    authority: Words = {}
    """Rule 7: what the holder may decide."""
    on_call: bool = False
    """Reached at any hour (rule 23); everybody else has the hours of the calendar."""


class Category(Titled):
    """Rules 18-20: what a complaint is about, who handles it and how grave it is unless said otherwise."""

    default_level: Level | None = None
    route: str | None = None
    """The role that handles this category (rule 20)."""
    measures: Words = {}


class AppliesTo(Section):
    """Restricts a promise; an empty list restricts nothing."""

    kinds: tuple[Kind, ...] = ()
    categories: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()
    grades: tuple[str, ...] = ()

    def covers(self, kind: str, category: str | None, level: str | None, grade: str | None) -> bool:
        """Whether a complaint of this kind, category, level and customer grade falls under the promise."""
        return (
            (not self.kinds or kind in self.kinds)
            and (not self.categories or category in self.categories)
            and (not self.levels or level in self.levels)
            and (not self.grades or grade in self.grades)
        )


class MissOf(Section):
    """Starts when another obligation's clock is missed, at its due time (rule 45)."""

    miss_of: str


class DeliveryOf(Section):
    """Starts when a notice about an act has reached its recipient's server (rule 123)."""

    delivery_of: str


def _one_message(value: Any, union: ValidatorFunctionWrapHandler) -> Any:
    try:
        return union(value)
    except ValidationError:
        raise ValueError(
            "is one of: receipt, level reached, customer message, rejection, "
            "{miss of: <obligation>}, {delivery of: <command>}"
        ) from None


Start = Annotated[
    Literal["receipt", "level reached", "customer message", "rejection"] | MissOf | DeliveryOf,
    WrapValidator(_one_message),
]
"""What sets a clock going. Never the start of the workflow (invariant 3)."""


class MetBy(Section):
    """Invariant 4: the acts that meet an obligation: any one, or all of them."""

    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        return self.any_of or self.all_of


def _one_act(value: Any) -> Any:
    if isinstance(value, list):
        raise ValueError("say whether one of these is enough: {any of: […]}, or all are needed: {all of: […]}")  # noqa: TRY004 - pydantic takes ValueErrors
    return {"any of": [value]} if isinstance(value, str) else value


_SHARE = re.compile(r"\d{1,2}(\.\d{1,3})?%|due")


def _share(value: Any) -> Any:
    if isinstance(value, str) and _SHARE.fullmatch(value):
        return value
    if isinstance(value, str) and value.endswith("%"):
        raise ValueError(f"{value!r} is never reached; write a share below 100%, such as 80%, or due")
    raise ValueError(f"{value!r} is no share of the time; write one such as 80%, or due")


Share = Annotated[str, BeforeValidator(_share), Field(json_schema_extra={"pattern": f"^({_SHARE.pattern})$"})]


class Step(Section):
    """One rung of a ladder: when it is reached, who is told, and what silences it (invariants 13, 14)."""

    at: Share | None = None
    """A share of the clock's own budget in its own unit, or `due`."""
    after: Term | None = None
    """A distance behind the due time, such as `30 minutes` or `1 working day`."""
    tell: Names
    unless: Literal["acknowledged", "done"] = "done"
    hours: Literal["any", "working"] = "any"
    """`working` moves the rung to the next opening, so that nobody is woken for it."""
    per: Literal["case", "incident"] = "case"
    """`incident`: told once for all cases of an incident; a case without one is told as usual."""

    @property
    def label(self) -> str:
        """The rung's name within its ladder, stable over versions: `50%`, `due`, `+30 minutes`."""
        return self.at if self.at is not None else f"+{self.after}"

    @property
    def fraction(self) -> Decimal | None:
        """The share of the budget, 0 to 1; nothing for `due` and later."""
        return Decimal(self.at[:-1]) / 100 if self.at and self.at != "due" else None


class Obligation(Section):
    """One promise with its clause: what must be done, by when, and what meets it."""

    clause: Line
    title: Title
    applies_to: AppliesTo = AppliesTo()
    starts: Start
    due: Term
    met_by: Annotated[MetBy, BeforeValidator(_one_act, json_schema_input_type=str | MetBy)]
    ladder: tuple[Step, ...] = ()
    urgent: bool = False
    """Notices of an urgent clock are never held back to travel with others (invariant 12)."""
    pauses_for: tuple[str, ...] = ()
    """Parties whose waits stop this clock; none unless listed (rules 56, 60)."""


class Path(Section):
    """The stages some complaints go through."""

    applies_to: AppliesTo = AppliesTo()
    stages: tuple[Stage, ...]


class Validity(Section):
    """Rule 127: from the first to the last day of the contract, in the calendar's zone. Intake outside is flagged."""

    starts: date = Field(alias="from")
    ends: date | None = Field(default=None, alias="to")

    def covers(self, day: date) -> bool:
        return self.starts <= day and (self.ends is None or day <= self.ends)


class Unreachable(Section):
    """When a complaint may close because the customer cannot be reached."""

    attempts: Annotated[int, Field(ge=1)]
    """Tries on record since the customer was last heard of."""
    days: Annotated[int, Field(ge=1)] = 1
    """On so many different dates, in the calendar's zone."""


class Confirmation(Section):
    """How a complaint ends once its result is told."""

    silence: Term
    """Silence for so long after the result closes the case."""
    reopenings: Annotated[int, Field(ge=0)] = 2
    """How often the customer reopens it; after that it can only be closed without agreement."""
    unreachable: Unreachable | None = None
    """Without it no complaint closes for that reason."""


class AfterClosure(Section):
    """What becomes of a complaint that is over when the customer comes back."""

    customer_writes: Literal["reopen", "attach", "follow"] = "follow"
    """The message reopens the complaint, is put on its file, or opens a complaint that follows it."""
    within: Term | None = None
    """From the closing; a later message opens one that follows. At any time when left out."""
    take_back: Term | None = None
    """From a withdrawal, for taking it back. At any time when left out."""


class LateReports(Section):
    """What a timely act counts as that is reported only after its clock was missed (invariant 2).

    Without this section it clears the miss at once; the miss itself stays on record either way.
    """

    within: Term | None = None
    """From the act to its report; what is reported later does not count."""
    needs: Literal["evidence"] | None = None
    """A report without it does not count."""
    confirmed_by: str | None = None
    """The role that must agree; until then it counts as missed."""


class Waits(Section):
    """Waits for other parties (rule 60)."""

    order: Annotated[
        tuple[Literal["principal", "third_party", "complainant"], ...], Field(min_length=3, max_length=3)
    ] = (
        "principal",
        "third_party",
        "complainant",
    )
    """Where waits overlap, whose the time is: that of the first of those waited for."""


class Scripts(Section):
    """Rule 92: only authorised words, and promises nobody may make unapproved."""

    forbidden: tuple[str, ...] = ()
    approved: dict[str, Words] = {}


class Privacy(Section):
    """Rule 112: names and words of end customers stay out of mails unless the contract lets them in."""

    content_in_mail: bool = False


class Retention(Section):
    """How long what customers said is kept (rules 112-115). Both count from closing; left out, it is kept for ever."""

    content: Term | None = None
    """Then it is erased: `3 years`."""
    at_least: Term | None = None
    """Until then nobody may have it erased, since a law asks that it be kept."""


class Service(Section):
    """Rules 121-125: how notices are served."""

    channels: tuple[Literal["email"], ...] = ("email",)


class Contract(Section):
    """One contract: one file, one published version at a time, pinned by a complaint at receipt (rule 126)."""

    contract: Name
    title: Title
    language: Language
    """The language in which operations see clocks and stages."""
    term: Validity
    parties: dict[Name, Party]
    roles: dict[Name, Role]
    channels: dict[Code, Titled] = {}
    """Rules 10-12. A complaint through any other channel is taken and flagged."""
    kinds: tuple[Kind, ...] = KINDS
    categories: dict[Code, Category] = {}
    levels: dict[Level, Titled] = {}
    """Rules 21-23, gravest last; a contract may have none."""
    grades: dict[Code, Titled] = {}
    calendar: CalendarSpec
    stages: tuple[Path, ...]
    obligations: dict[Name, Obligation]
    notices: dict[str, Names] = {}
    """Roles told of an act, such as `propose: principal.responsible_person` (rule 41)."""
    confirmation: Confirmation
    survey: Survey | None = None
    """Rules 33, 34, 71: what the customer is asked once the result is told; nothing without it."""
    after_closure: AfterClosure = AfterClosure()
    late_reports: LateReports = LateReports()
    waits: Waits = Waits()
    owner: str
    """The role that handles a complaint whose category has no route of its own."""
    scripts: Scripts = Scripts()
    privacy: Privacy = Privacy()
    retention: Retention = Retention()
    service: Service = Service()
    readings: dict[str, str] = {}
    """Which reading of an ambiguous clause this contract takes, in its owner's words."""

    def path(self, kind: str, category: str | None, level: str | None, grade: str | None) -> tuple[Stage, ...]:
        """The stages a complaint like this goes through; the first path that covers it."""
        for path in self.stages:
            if path.applies_to.covers(kind, category, level, grade):
                return path.stages
        return ("received", "answered", "closed")

    def obligations_for(
        self, kind: str, category: str | None, level: str | None, grade: str | None
    ) -> Iterator[tuple[str, Obligation]]:
        """Every promise that covers a complaint like this, in the file's order."""
        return (
            (name, promise)
            for name, promise in self.obligations.items()
            if promise.applies_to.covers(kind, category, level, grade)
        )

    def words(self, words: Words, language: Language | None = None) -> str:
        """The words in this language, else in the contract's, else in any."""
        return words.get(language or self.language) or words.get(self.language) or next(iter(words.values()), "")
