"""Working time against what people use instead: `python -m bench.calendar [--json FILE]`.

The same rows for all in one run, one call a row as a program makes them: Monday to Friday, 09:00 to 18:00, without
the public holidays of China in 2025 and 2026. Make-up days are left out, since only ours knows them. Each answer is
compared with ours; what a library has no call for is said.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import businesstimedelta
import numpy as np
import pandas as pd
import pytz  # type: ignore[import-untyped]  # comes with businesstimedelta
from business_duration import businessDuration
from rich.console import Console
from rich.table import Table

from rules.calendar import calendar_for
from rules.calendar_spec import CalendarSpec
from rules.statutory import publish

ROWS, REPEATS, DAYS = 200, 7, 30
ZONE = ZoneInfo("Asia/Shanghai")
QUARTER, THOUSAND = timedelta(minutes=15), timedelta(hours=1000)

_WEEK = {"zone": ZONE.key, "hours": {"mon-fri": "09:00-18:00"}}
_CHINA = publish(CalendarSpec.model_validate(_WEEK | {"statutory": "CN"}), 2025, 2026)
HOLIDAYS = sorted(day for year in _CHINA.published.values() for holiday in year for day in holiday.off)
_CLOSED = [{"on": day, "name": "holiday"} for day in HOLIDAYS]

ours = calendar_for(CalendarSpec.model_validate(_WEEK | {"closures": _CLOSED}))
_FAR = date(2028, 1, 1)  # businesstimedelta fails where it finds no holiday in the five years ahead
_PYTZ = pytz.timezone(ZONE.key)  # businesstimedelta knows no other zones
_RULES = businesstimedelta.Rules(
    [
        businesstimedelta.WorkDayRule(clock(9), clock(18), working_days=[0, 1, 2, 3, 4], tz=_PYTZ),
        businesstimedelta.HolidayRule(dict.fromkeys([*HOLIDAYS, _FAR], "holiday"), tz=_PYTZ),
    ]
)
_BUSINESS_HOURS = {"start": "09:00", "end": "18:00", "holidays": HOLIDAYS}
_THOUSAND_HOURS = pd.offsets.CustomBusinessHour(n=1000, **_BUSINESS_HOURS)
_EACH_HOUR = pd.offsets.CustomBusinessHour(**_BUSINESS_HOURS)
_THIRTY_DAYS = pd.offsets.CustomBusinessDay(n=DAYS, holidays=HOLIDAYS)
_BUSDAYS = np.busdaycalendar(holidays=list(HOLIDAYS))


class Row(NamedTuple):
    """One question: an instant, the same a year later, and both as each library likes them."""

    start: datetime
    end: datetime
    stamp: pd.Timestamp
    last: pd.Timestamp
    day: date
    day64: np.datetime64
    end64: np.datetime64


class Contender(NamedTuple):
    """How one library answers: a call on a row, and what makes its answer comparable with ours."""

    library: str
    ask: Callable[[Row], Any] | None
    read: Callable[[Any], Any]
    remark: str = ""


def _local(answer: Any) -> datetime:
    local: datetime = pd.Timestamp(answer).to_pydatetime()
    return local.replace(tzinfo=ZONE)


def _no_call(library: str, remark: str) -> Contender:
    return Contender(library, None, lambda answer: answer, remark)


OPERATIONS: dict[str, Sequence[Contender]] = {
    "add 15 minutes": (
        Contender("ours", lambda row: ours.add(row.start, QUARTER), lambda answer: answer),
        Contender(
            "businesstimedelta",
            lambda row: row.start + businesstimedelta.BusinessTimeDelta(_RULES, timedelta=QUARTER),
            lambda answer: answer,
        ),
        _no_call("business-duration", "cannot add"),
        _no_call("pandas CustomBusinessHour", "whole hours only"),
        _no_call("numpy busday", "whole days only"),
    ),
    "add 1,000 hours": (
        Contender("ours", lambda row: ours.add(row.start, THOUSAND), lambda answer: answer),
        Contender(
            "businesstimedelta",
            lambda row: row.start + businesstimedelta.BusinessTimeDelta(_RULES, timedelta=THOUSAND),
            lambda answer: answer,
        ),
        _no_call("business-duration", "cannot add"),
        Contender("pandas CustomBusinessHour", lambda row: row.stamp + _THOUSAND_HOURS, _local),
        _no_call("numpy busday", "whole days only"),
    ),
    "measure a year": (
        Contender("ours", lambda row: ours.between(row.start, row.end), lambda answer: answer),
        Contender(
            "businesstimedelta",
            lambda row: _RULES.difference(row.start, row.end),
            lambda answer: answer.timedelta,
        ),
        Contender(
            "business-duration",
            lambda row: businessDuration(row.stamp, row.last, clock(9), clock(18), holidaylist=HOLIDAYS, unit="min"),
            lambda answer: timedelta(minutes=float(answer)),
        ),
        Contender(
            "pandas CustomBusinessHour",
            lambda row: len(pd.date_range(row.stamp, row.last, freq=_EACH_HOUR)) - 1,
            lambda answer: timedelta(hours=answer),
            "whole hours only",
        ),
        Contender(
            "numpy busday",
            lambda row: np.busday_count(row.day64, row.end64, busdaycal=_BUSDAYS),
            lambda answer: 9 * timedelta(hours=int(answer)),
            "whole days only",
        ),
    ),
    f"{DAYS}th working day": (
        Contender("ours", lambda row: ours.nth_working_day(row.day, DAYS), lambda answer: answer),
        _no_call("businesstimedelta", "no days"),
        _no_call("business-duration", "cannot add"),
        Contender("pandas CustomBusinessDay", lambda row: row.stamp + _THIRTY_DAYS, lambda answer: answer.date()),
        Contender(
            "numpy busday",
            lambda row: np.busday_offset(row.day64, DAYS, roll="backward", busdaycal=_BUSDAYS),
            lambda answer: answer.item(),
        ),
    ),
}


def rows() -> list[Row]:
    """The questions: whole minutes of 2025, at any hour of any day, the same in every run."""
    chance = random.Random(20260101)
    first = datetime(2025, 1, 1, tzinfo=ZONE)
    starts = [first + timedelta(minutes=chance.randrange(300 * 1440)) for _ in range(ROWS)]
    return [_row(start, start + timedelta(days=365)) for start in starts]


def _row(start: datetime, end: datetime) -> Row:
    stamp, last = (pd.Timestamp(instant.replace(tzinfo=None)) for instant in (start, end))
    day64, end64 = (np.datetime64(instant.date()) for instant in (start, end))
    return Row(start, end, stamp, last, start.date(), day64, end64)


def measure(ask: Callable[[Row], Any], asked: Sequence[Row]) -> float:
    """Microseconds a call, the median of several passes over all rows; as few as one pass where a pass takes long."""
    passes: list[float] = []
    began = time.perf_counter()
    while len(passes) < REPEATS and (not passes or time.perf_counter() - began < 10):
        before = time.perf_counter()
        for row in asked:
            ask(row)
        passes.append((time.perf_counter() - before) / len(asked) * 1e6)
    return statistics.median(passes)


def compare(asked: Sequence[Row]) -> list[dict[str, Any]]:
    """One result for each operation and library."""
    results: list[dict[str, Any]] = []
    for operation, contenders in OPERATIONS.items():
        asks = {one.library: one.ask for one in contenders if one.ask}
        right = [asks["ours"](row) for row in asked]
        base = measure(asks["ours"], asked)
        for one in contenders:
            result: dict[str, Any] = {"operation": operation, "library": one.library, "remark": one.remark}
            if one.ask:
                micros = base if one.library == "ours" else measure(one.ask, asked)
                same = sum(one.read(one.ask(row)) == answer for row, answer in zip(asked, right, strict=True))
                result |= {"us": round(micros, 2), "times": round(micros / base, 1), "same": same / len(asked)}
            results.append(result)
    return results


def show(results: Sequence[dict[str, Any]]) -> None:
    """Print the results as a table."""
    table = Table(title=f"{ROWS} rows, one call a row, median of up to {REPEATS} passes")
    for heading in ("operation", "library", "µs a call", "times ours", "same answers", "remark"):
        table.add_column(heading, justify="right" if heading in {"µs a call", "times ours", "same answers"} else "left")
    for result in results:
        figures = (f"{result['us']:,.2f}", f"{result['times']:,.1f}", f"{result['same']:.0%}") if "us" in result else ()
        shown = figures or ("–", "–", "–")
        table.add_row(result["operation"], result["library"], *shown, result["remark"])
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description="Working time against what people use instead.")
    parser.add_argument("--json", type=Path, help="write the results to this file as well")
    wanted = parser.parse_args()
    results = compare(rows())
    show(results)
    if wanted.json:
        wanted.json.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
