"""Tables and calendars: imports of old cases, parts of the directory as CSV, shifts and absences as iCalendar."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

from hypothesis import strategies as st

from rules.contract_file import read
from rules.directory_file import DirectoryError, read_directory
from starter.directory_files import read_files
from starter.errors import Invalid
from starter.import_map import Map, read_map
from starter.importer import Importer
from starter.table import Line, Rejects, opened
from storage.contracts import Version
from storage.reading import Laws
from tests.fuzz.files import FOLDER, NOW, PEOPLE, at_hand, clear, of_yaml
from tests.fuzz.oddities import ODD_TEXT, scribbled, written
from tests.fuzz.target import Target
from tests.support.system import ROOT

EARLY = datetime(2000, 1, 1, tzinfo=UTC)


def _laws(contract: str) -> Laws:
    file = ROOT / "contracts" / f"{contract}.yaml"
    body = read(file.read_text(encoding="utf-8"), file.name).contract.model_dump(mode="json", by_alias=True)
    return Laws(contract, [Version("v", contract, EARLY, body, EARLY, "fuzz")])


LAWS = {name: _laws(name) for name in ("consumer-finance", "demo")}
CFPB = (ROOT / "contracts" / "maps" / "cfpb.yaml").read_text(encoding="utf-8")
SMALL_MAP = """
contract: demo
kind: {column: kind, values: {K: complaint, E: enquiry}, otherwise: enquiry}
reference: {column: ref}
channel: app
content: {column: text, otherwise: "No words. {kind}"}
received: {column: at, zone: Asia/Shanghai, time: "09:00"}
complainant: {id: {column: who}, needs: {column: needs, split: ";"}}
outcomes:
  - when: {done: [yes, y]}
    acts:
      - {command: respond, at: {column: answered, format: "%m/%d/%Y %H:%M"}, text: "{text}"}
      - {command: close, at: import}
  - acts: []
"""
ROWS = {
    "consumer-finance": {
        "complaint_id": "4711",
        "product": "Mortgage",
        "submitted_via": "Web",
        "date_received": "2019-03-29",
        "date_sent_to_company": "2019-04-01",
        "company_response": "Closed with explanation",
        "timely_response": "Yes",
        "narrative": "They lost my payment.",
    },
    "demo": {
        "kind": "K",
        "ref": "R-1",
        "text": 'He said "no", twice',
        "at": "2026-11-20",
        "who": "c-1",
        "needs": "deaf;blind",
        "done": "yes",
        "answered": "11/21/2026 10:00",
    },
}
MAPS = {"consumer-finance": CFPB, "demo": SMALL_MAP}
HEADERS = {name: sorted(read_map(at_hand("map.yaml", text.encode())).columns()) for name, text in MAPS.items()}
CELLS = ODD_TEXT | st.sampled_from(
    ("2026-11-20", "2019-04-01T09:00:00+25:00", "12/31/9999 23:59", "1/1/0001 00:00", "Yes", "No", "In progress", "y")
)


@st.composite
def _rows(draw: st.DrawFn, contract: str) -> bytes:
    """A table with a few faults in its cells, its lines and its bytes."""
    header = list(HEADERS[contract])
    rows = []
    for _ in range(draw(st.integers(0, 3))):
        row = ROWS[contract] | draw(st.dictionaries(st.sampled_from(header), CELLS, max_size=3))
        rows.append([row.get(name, "") for name in header])
    made = io.StringIO(newline="")
    writer = csv.writer(made, quoting=draw(st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))))
    writer.writerows([header, *rows])
    text = made.getvalue()
    data = draw(written(st.just(text) | scribbled(text) | scribbled(text)))
    if not draw(st.integers(0, 9)):
        data = gzip.compress(data)
        data = data[: draw(st.integers(len(data) // 2, len(data)))]
    return data


def _tables() -> st.SearchStrategy[tuple[str, bytes, bytes]]:
    sound = st.sampled_from(sorted(ROWS)).flatmap(
        lambda name: st.tuples(st.just(name), st.just(MAPS[name].encode()), _rows(name))
    )
    bent_map = st.sampled_from(sorted(ROWS)).flatmap(
        lambda name: st.tuples(st.just(name), of_yaml([MAPS[name]]), _rows(name))
    )
    return sound | bent_map


def _import(given: tuple[str, bytes, bytes]) -> bool:
    """As `ombud import --history --dry-run`: every row goes in or stands among the rejects, or the whole is refused."""
    contract, map_file, rows = given
    try:
        mapping = read_map(at_hand("map.yaml", map_file))
        with opened(at_hand("rows.csv", rows), mapping.encoding, mapping.delimiter) as table:
            if mapping.columns() - set(table.header):
                return False  # the command line names them
            return _brought_in(contract, mapping, table)
    except Invalid as bad:
        clear(str(bad))
        return False


def _brought_in(contract: str, mapping: Map, table: Any) -> bool:
    rejects = Rejects(FOLDER / "rejects.csv", table.header)

    def reject(line: Line, reason: str) -> None:
        clear(reason)
        rejects.add(line, reason)

    nobody: Any = Mock(spec=())  # a dry run asks neither Temporal nor Postgres
    importer = Importer(nobody, nobody, nobody, mapping, LAWS[contract], history=True, dry_run=True, on_reject=reject)
    try:
        counts = asyncio.run(importer.run(table, lambda _: None))
    finally:
        rejects.close()
    assert counts.read == counts.closed + counts.started + counts.rejected
    return counts.closed + counts.started > 0


BEFORE = read_directory(PEOPLE, "people.yaml")
PARTS = {
    "people": "person,name,email,language,zone,hours\nann,Ann,ann@example.com,en,Europe/Berlin,mon-fri 09:00-18:00\n"
    "bo,Bo,bo@example.com,zh-CN,Asia/Shanghai,\n",
    "roles": "contract,role,person\n*,handler.owner,ann\ndemo,handler.manager,bo\n",
    "shifts": "person,from,to\nann,2026-12-01 09:00,2026-12-01 17:00\n",
    "absences": "person,from,to,deputy\nbo,2026-12-24,2027-01-02,ann\n",
}


def _part(data: bytes) -> bool:
    return _directory("part.csv", data)


def _calendar(data: bytes) -> bool:
    return _directory("part.ics", data)


def _directory(name: str, data: bytes) -> bool:
    """Taken over what was there before, or every mistake with its file and line."""
    file = at_hand(name, data)
    said = ""
    try:
        read_files([file], BEFORE, NOW)
    except (DirectoryError, Invalid) as bad:
        clear(said := str(bad))
        # What is left of the directory before may not fit what the file says.
        assert name in said or "the directory: " in said, f"a refusal that does not name the file: {said}"
    return not said


EVENTS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//y//EN
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:1@example.com
DTSTAMP:20261101T000000Z
DTSTART;TZID=Europe/Berlin:20261201T090000
DTEND;TZID=Europe/Berlin:20261201T170000
RRULE:FREQ=WEEKLY;COUNT=5;BYDAY=TU
EXDATE;TZID=Europe/Berlin:20261208T090000
CATEGORIES:SHIFT
ATTENDEE;CN=Ann:mailto:ann@example.com
SUMMARY:Late shift
END:VEVENT
BEGIN:VEVENT
UID:2@example.com
DTSTAMP:20261101T000000Z
DTSTART;VALUE=DATE:20261224
DTEND;VALUE=DATE:20270103
CATEGORIES:ABSENCE
SUMMARY:bo: away
DESCRIPTION:deputy: ann
END:VEVENT
BEGIN:VEVENT
UID:3@example.com
DTSTAMP:20261101T000000Z
DTSTART:20261205T220000Z
DURATION:PT8H
RDATE:20261206T220000Z,20261207T220000Z
CATEGORIES:SHIFT
ORGANIZER:mailto:bo@example.com
SUMMARY:bo
END:VEVENT
END:VCALENDAR
"""
LINES = (
    *("RRULE:FREQ=DAILY;COUNT=0", "RRULE:FREQ=DAILY;COUNT=-1", "RRULE:FREQ=DAILY;INTERVAL=0;COUNT=9", "RRULE:"),
    *("RRULE:FREQ=YEARLY;COUNT=2000", "RRULE:FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2;COUNT=9", "RRULE:FREQ=DAILY;UNTIL=x"),
    *("RRULE:FREQ=YEARLY;BYMONTH=13;COUNT=2", "RRULE:FREQ=WEEKLY;BYDAY=XX;COUNT=2", "RRULE:FREQ=HOURLY;COUNT=2"),
    *("RRULE:FREQ=DAILY;UNTIL=20270101", "RRULE:FREQ=DAILY;COUNT=5;UNTIL=20270101T000000Z", "EXDATE:20261201"),
    *("EXRULE:FREQ=DAILY;COUNT=3", "RDATE;VALUE=PERIOD:20261201T090000Z/PT1H", "RDATE:20261201", "RDATE:x"),
    *("DTSTART:00010101T000000", "DTSTART:99991231T235959Z", "DTSTART;VALUE=DATE:20261301", "DTSTART:x"),
    *("DTSTART;TZID=Mars/Phobos:20261201T090000", "DTEND;VALUE=DATE:20261201", "DTEND:20200101T000000Z"),
    *("DURATION:-PT8H", "DURATION:P99999999W", "DURATION:x", "RECURRENCE-ID:20261208T090000Z", "UID:1@example.com"),
    *("UID:", "CATEGORIES:SHIFT,ABSENCE", "CATEGORIES:", "ATTENDEE:", "ATTENDEE:mailto:ann@example.com", "SUMMARY:"),
    *("DESCRIPTION:deputy: nobody", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VALARM", "END:VCALENDAR", "BEGIN:VTODO"),
    *(
        "BEGIN:VCALENDAR",
        "TZID:x",
        "TZOFFSETFROM:+9900",
        "TZOFFSETTO:x",
        "X-ODD;A=B:\\n\\,",
        "NONSENSE",
        ":",
        ";",
        " x",
    ),
    "SEQUENCE:99999999999999999999",
)


@st.composite
def _events(draw: st.DrawFn) -> str:
    """The calendar with a few of its lines replaced, doubled or left out."""
    lines = EVENTS.split("\n")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        line = draw(st.sampled_from(LINES) | st.sampled_from(EVENTS.split("\n")))
        lines[at : at + draw(st.integers(0, 1))] = [line]
    return draw(st.sampled_from(("\r\n", "\n"))).join(lines)


TARGETS = [
    Target("import of old cases", _tables(), _import),
    Target("directory tables", written(st.sampled_from(list(PARTS.values())).flatmap(scribbled)), _part),
    Target("calendars", written(_events() | _events() | _events() | scribbled(EVENTS)), _calendar),
]
