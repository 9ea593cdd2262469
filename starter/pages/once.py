"""A form of a page is taken once: marked when it is shown, used up when its complaint has taken it."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from rules.commands import Command
from starter.client import Ombud
from starter.errors import Closed, NotFound, NoWorker, OmbudError, Refused, Unreachable
from starter.pages.ground import Ground
from storage import used_links

_MARK = re.compile(r"[A-Za-z0-9_-]{16,64}")

Became = Literal["taken", "stands", "refused", "later"]
STATUS: dict[Became, int] = {"taken": 200, "stands": 200, "refused": 409, "later": 503}


class IncompleteError(Exception):
    """Something is missing in a form; the message is the name of the words that say what (templates)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a form; `stands` is what was sent before and is left as it was."""

    became: Became
    reason: str = ""
    """The stable name of a refusal (`rules.ledger.Refused`)."""
    said: str = ""
    """The refusal in the core's own English words."""


def new_mark() -> str:
    """What tells one showing of a form from the next: a message may be sent twice, a button pressed once."""
    return secrets.token_urlsafe(18)


def mark_of(form: Mapping[str, Sequence[str]]) -> str:
    """The mark a form came with. Raises IncompleteError."""
    mark = form.get("mark", [""])[0]
    if not _MARK.fullmatch(mark):
        raise IncompleteError("again")
    return mark


async def tell_once(ground: Ground, ombud: Ombud, token: str, what: str, complaint: str, command: Command) -> Outcome:
    """Tell a complaint by one form of a link, unless that form was taken before. Raises PageError.

    The command's key comes from link and form, so that not even two servers take it twice.
    """
    key = hashlib.sha256(f"{token.rpartition('.')[0]}\n{what}".encode()).hexdigest()[:40]
    async with ground.acting, ground.reading() as db:
        # Held until the complaint has answered: the same form sent at the same time waits, and finds it used.
        if not await used_links.use(db, token, [what], datetime.now(UTC)):
            return Outcome("stands")
        outcome = await _tell(ombud, complaint, command, f"page-{key}")
        if outcome.became != "taken":
            await used_links.release(db, token, [what])
    return outcome


async def _tell(ombud: Ombud, complaint: str, command: Command, key: str) -> Outcome:
    try:
        await ombud.tell(complaint, command, key=key)
    except (NoWorker, Unreachable):
        return Outcome("later")
    except (Closed, NotFound):
        return Outcome("refused", "closed")
    except Refused as refused:
        return Outcome("refused", refused.reason, str(refused))
    except OmbudError as error:
        return Outcome("refused", said=str(error))
    return Outcome("taken")
