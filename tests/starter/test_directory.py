"""The directory out of files: YAML, tables and calendars, all or nothing; who is told now, and who will be missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rules.directory import Directory
from rules.directory_file import DirectoryError
from rules.duty import Nobody, holder
from starter.directory_files import read_files, read_whole
from starter.errors import Invalid
from tests.starter.conftest import Cli

PEOPLE = """person,name,email,language,zone,hours
ann,Ann Ash,ann@example.com,en,Europe/Berlin,mon-fri 09:00-12:00 13:00-18:00; sat 10:00-14:00
bo,林波,bo@example.com,zh-CN,Asia/Shanghai,
"""
ROLES = "contract,role,person\n*,handler.manager,ann\n*,handler.manager,bo\nsmall,handler.manager,bo\n"
SHIFTS = "person,from,to\nbo,2026-03-02 20:00,2026-03-03 06:00\n"
ABSENCES = "person,from,to,deputy\nann,2026-03-02,2026-03-03,bo\nann,2026-03-05 09:00,2026-03-05 12:00,none\n"

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Rosters//EN
BEGIN:VEVENT
UID:1@example.com
DTSTART;TZID=Europe/Berlin:20260302T180000
DTEND;TZID=Europe/Berlin:20260303T020000
RRULE:FREQ=DAILY;COUNT=3
EXDATE;TZID=Europe/Berlin:20260303T180000
CATEGORIES:SHIFT
SUMMARY:Late shift
ATTENDEE;CN=Ann:mailto:Ann@example.com
END:VEVENT
BEGIN:VEVENT
UID:2@example.com
DTSTART;VALUE=DATE:20260310
DTEND;VALUE=DATE:20260312
CATEGORIES:ABSENCE
SUMMARY:ann is on leave
DESCRIPTION:Back on Thursday.\\nDeputy: bo@example.com
END:VEVENT
END:VCALENDAR
"""


class Folder:
    """Files to import, each written by its name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.directory: Directory | None = None

    def take(self, **files: str) -> Directory:
        """Import files one after the other or several at once; what was imported before stays in place."""
        paths = []
        for name, text in files.items():
            paths.append(self.path / name.replace("_", "."))
            paths[-1].write_text(text, encoding="utf-8")
        self.directory = read_files(paths, read_whole(paths) or self.directory)
        return self.directory

    def told(self, when: str, contract: str = "other") -> str | Nobody:
        return holder(self.directory, contract, "handler.manager", datetime.fromisoformat(when))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_tables_make_a_directory(folder: Folder) -> None:
    """People, roles, shifts and absences as four tables, in any order, are the whole directory."""
    found = folder.take(absences_csv=ABSENCES, roles_csv=ROLES, shifts_csv=SHIFTS, people_csv=PEOPLE)
    assert found.people["bo"].name == "林波"
    assert found.people["bo"].hours is None
    assert found.roles == {"*": {"handler.manager": ("ann", "bo")}, "small": {"handler.manager": ("bo",)}}
    assert folder.told("2026-03-02 21:00+08:00") == "bo"
    assert folder.told("2026-03-04 10:00+01:00") == "ann"
    assert isinstance(folder.told("2026-03-05 10:00+01:00"), Nobody)


def test_a_table_replaces_its_part_and_no_other(folder: Folder) -> None:
    """A new table of shifts, absences, roles or people leaves the other parts as they were."""
    folder.take(people_csv=PEOPLE, roles_csv=ROLES, shifts_csv=SHIFTS, absences_csv=ABSENCES)
    found = folder.take(shifts_csv="person,from,to\n")
    assert found.people["bo"].shifts == ()
    assert len(found.people["ann"].absences) == 2
    found = folder.take(
        people_csv="person,name,email,language,zone\nann,Ann B,b@example.com,en,UTC\nbo,Bo,b@x,en,UTC\n"
    )
    assert (found.people["ann"].name, found.people["ann"].hours is None) == ("Ann B", False)
    assert len(found.people["ann"].absences) == 2
    found = folder.take(roles_csv="contract,role,person\n*,handler.manager,bo\n")
    assert found.roles == {"*": {"handler.manager": ("bo",)}}


def test_a_calendar_brings_shifts_and_absences(folder: Folder) -> None:
    """Events follow their rules and exceptions; times keep their zones, whole days end the day before DTEND."""
    found = folder.take(people_csv=PEOPLE, roles_csv=ROLES, july_ics=CALENDAR)
    assert [span.start for day in found.people["ann"].dated.values() for span in day] == [
        datetime(2026, 3, 2, 17, tzinfo=UTC),
        datetime(2026, 3, 4, 17, tzinfo=UTC),
    ]
    ((absence, span),) = found.people["ann"].away
    assert absence.deputy == "bo"
    assert span.start == datetime(2026, 3, 9, 23, tzinfo=UTC)
    assert span.end == datetime(2026, 3, 11, 23, tzinfo=UTC)
    again = folder.take(july_ics=CALENDAR)
    assert again == found, "the same calendar once more changes nothing"


def test_a_calendar_may_leave_a_role_with_nobody(folder: Folder) -> None:
    """`deputy: none` in an event's description says that nobody stands in, and that it is meant."""
    folder.take(people_csv=PEOPLE, roles_csv=ROLES)
    away = event(*SHIFT, "CATEGORIES:ABSENCE", "SUMMARY:bo", "DESCRIPTION:deputy: none")
    assert folder.take(x_ics=away).people["bo"].absences[0].stands_in is None


def test_a_yaml_file_is_all_of_it(folder: Folder) -> None:
    """A YAML file replaces everything, tables beside it add to that; two of them are refused."""
    folder.take(people_csv=PEOPLE, roles_csv=ROLES, shifts_csv=SHIFTS)
    whole = "people: {di: {name: Di, email: di@example.com, language: en, zone: UTC}}\nroles: {}\n"
    found = folder.take(all_yaml=whole, roles_csv="contract,role,person\n*,handler.manager,di\n")
    assert (list(found.people), folder.told("2026-03-02 21:00+08:00")) == (["di"], "di")
    with pytest.raises(Invalid, match="give one, not 2"):
        folder.take(one_yaml=whole, two_yaml=whole)


def event(*lines: str) -> str:
    """A calendar with one event."""
    return "\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"))


SHIFT = ("UID:1", "DTSTART:20260302T080000Z", "DTEND:20260302T160000Z")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("x_csv", "person,colour\n", "x.csv:1: the columns colour, person are those of no table here"),
        ("x_csv", "person,from,to\nzoe,2026-03-02 08:00,2026-03-02 09:00\n", "x.csv:2: 'zoe' is not among the people"),
        ("x_csv", "person,from,to\nbo,2026-03-02\n", "x.csv:2: 2 fields where the header has 3"),
        (
            "x_csv",
            "person,from,to\nbo,2026-03-02 08:00,2026-03-02 09:00\nbo,soon,later\n",
            "x.csv:3: people.bo.shifts.1.from: 'soon' is neither a date such as",
        ),
        ("x_csv", "contract,role,person\n*,h.m,ann\n*,h.m,zoe\n", "x.csv:3: roles.*.h.m: names zoe, who is not among"),
        ("x_csv", PEOPLE.replace("10:00-14:00", ""), "x.csv:2: 'sat' gives no hours; write mon-fri 09:00-12:00"),
        ("x_csv", PEOPLE + "bo,B,b@x,en,UTC,\n", "x.csv:4: 'bo' is here twice"),
        ("x_csv", PEOPLE.replace("Asia/Shanghai", "Mars/Base"), "x.csv:3: people.bo.zone: unknown time zone"),
        ("x_csv", '"person"x,from,to\n', "x.csv:1: the line that must name the columns is no CSV"),
        ("x_csv", "person,\x1b[31m\n", "x.csv:1: the columns …[31m, person are those of no table here"),
        ("x_csv", PEOPLE + "b\x00,B,b@x,en,UTC,\n", "x.csv:4: has a character that is no text: U+0000"),
        ("x_csv", PEOPLE.splitlines()[0] + "\n", "x.csv:1: people: is empty"),
        ("x_csv", f"person,from,to\n{'z' * 9_000},2026-03-02,2026-03-02\n", "x.csv:2: 'zzz"),
        ("x_ics", event(*SHIFT, "UID:2", "CATEGORIES:SHIFT", "SUMMARY:bo"), "x.ics:3: has more than one UID"),
        ("x_ics", event(*SHIFT[:2], "DTEND:2026____", "CATEGORIES:SHIFT"), "x.ics:3: DTEND cannot be read"),
        ("x_ics", event(*SHIFT, SHIFT[1], "CATEGORIES:SHIFT"), "x.ics:3: has more than one DTSTART"),
        ("x_ics", event(*SHIFT, "CATEGORIES:SHIFT", "SEQUENCE:x", "SUMMARY:bo"), "x.ics:3: SEQUENCE cannot be read"),
        (
            "x_ics",
            "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:a\nTZID:a\nEND:VTIMEZONE\nEND:VCALENDAR",
            "is no iCalendar file",
        ),
        ("x_ics", "Dear all, see attached.", "x.ics: is no iCalendar file"),
        ("x_ics", event(*SHIFT, "SUMMARY:bo"), "x.ics:3: is neither or both of SHIFT and ABSENCE"),
        ("x_ics", event(*SHIFT, "CATEGORIES:SHIFT", "SUMMARY:zoe"), "x.ics:3: zoe is not among the people; name them"),
        ("x_ics", event(*SHIFT, "CATEGORIES:SHIFT"), "x.ics:3: nobody is not among the people; name them"),
        ("x_ics", event(*SHIFT, "CATEGORIES:SHIFT", "RRULE:FREQ=WEEKLY"), "x.ics:3: repeats for ever; give it an end"),
        ("x_ics", event(*SHIFT, "RRULE:FREQ=DAILY;COUNT=9999999"), "x.ics:3: repeats for too long"),
        ("x_ics", event(*SHIFT, "RRULE:FREQ=DAILY;UNTIL=99991231"), "x.ics:3: repeats for too long"),
        ("x_ics", event(*SHIFT, "RRULE:FREQ=SECONDLY;COUNT=10"), "x.ics:3: repeats within a day"),
        ("x_ics", event(*SHIFT[:2], "CATEGORIES:SHIFT", "SUMMARY:bo"), "x.ics:3: has no end"),
        ("x_ics", event("SUMMARY:bo", "CATEGORIES:SHIFT"), "x.ics:3: has no UID or no DTSTART"),
        (
            "x_ics",
            event(*SHIFT, "CATEGORIES:ABSENCE", "SUMMARY:bo"),
            "people.bo.absences.0: from 2026-03-02 08:00:00+00:00 to 2026-03-02 16:00:00+00:00 nobody else is on",
        ),
        ("x_txt", "bo", "x.txt: a directory is read from .yaml, .csv or .ics files"),
    ],
)
def test_a_mistake_is_named_and_nothing_taken(folder: Folder, name: str, text: str, reason: str) -> None:
    """Each mistake of a table or a calendar is refused with its file, line and reason."""
    folder.take(people_csv=PEOPLE, roles_csv=ROLES)
    with pytest.raises((DirectoryError, Invalid)) as refused:
        folder.take(**{name: text})
    assert reason in str(refused.value)
    assert len(str(refused.value)) < 1_000


async def test_the_command_line_takes_a_roster(cli: Cli, tmp_path: Path) -> None:
    """Imported, shown and checked: who is told now, who stands in, and which role will have nobody when."""
    today = datetime.now(UTC).date()
    away = f"{today - timedelta(days=1)},{today + timedelta(days=1)}"
    files: dict[str, Any] = {
        "people.csv": "person,name,email,language,zone,hours\n"
        "ann,Ann Ash,ann@example.com,en,UTC,\nbo,Bo Lin,bo@example.com,en,UTC,\ncy,Cy Dahl,cy@example.com,en,UTC,\n",
        "roles.csv": "contract,role,person\n"
        + "".join(f"*,{role},{person}\n" for role, person in HELD for person in person.split()),
        "absences.csv": f"person,from,to,deputy\nann,{away},bo\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    taken = await cli("directory", "import", "absences.csv", "people.csv", "roles.csv")
    assert (taken.code, taken.out) == (0, "3 people stand behind 8 roles.\n"), taken.err
    shown = (await cli("directory", "show")).out
    assert f"absent to {today + timedelta(days=1)}, bo stands in" in shown
    assert "bo (stands in)" in shown
    checked = await cli("directory", "check", "--days", "3")
    assert (checked.code, checked.out.partition(" until ")[0]) == (0, "Every role of 5 contracts has somebody")
    (tmp_path / "absences.csv").write_text(f"person,from,to,deputy\nann,{away},\n")
    refused = await cli("directory", "import", "absences.csv")
    assert refused.code == 1
    assert f"absences.csv:2: people.ann.absences.0: from {away.replace(',', ' to ')} nobody else is on" in refused.err
    assert "as handler.manager in *" in refused.err
    assert "bo (stands in)" in (await cli("directory", "show")).out
    (tmp_path / "absences.csv").write_text(f"person,from,to,deputy\nann,{away},none\n")
    assert (await cli("directory", "import", "absences.csv")).code == 0
    assert "bo (stands in)" not in (await cli("directory", "show")).out
    left = await cli("directory", "check", "--days", "3")
    assert (left.code, "handler.manager" in left.out) == (1, True)
    (tmp_path / "absences.csv").write_text(f"person,from,to,deputy\nann,{away},bo\n")
    assert (await cli("directory", "import", "absences.csv")).code == 0
    (tmp_path / "shifts.csv").write_text(f"person,from,to\ncy,{today}T00:00,{today}T00:01\n")
    assert (await cli("directory", "import", "shifts.csv")).code == 0
    missing = await cli("directory", "check", "--days", "3")
    assert missing.code == 1
    assert "handler.director" in missing.out
    assert "nobody on duty" in missing.out
    assert "handler.manager" not in missing.out


HELD = [
    ("handler.owner", "bo"),
    ("handler.team_lead", "bo"),
    ("handler.manager", "ann"),
    ("handler.director", "cy"),
    ("handler.investigator", "bo"),
    ("principal.responsible_person", "bo"),
    ("principal.supervisor", "bo"),
    ("principal.department.logistics", "bo"),
]
