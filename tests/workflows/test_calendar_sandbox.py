"""The calendar inside Temporal's sandbox, where a time zone from an ordinary import is no time zone."""

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from rules import terms
    from rules.calendar import calendar_for
    from rules.calendar_spec import CalendarSpec

SPEC: dict[str, Any] = {
    "zone": "Europe/Berlin",
    "hours": {"mon-fri": ["09:00-12:00", "13:00-18:00"], "sat": ["22:00-06:00"]},
    "closures": [{"on": "2026-10-26", "name": "Move"}],
}
QUESTIONS = ("15 working minutes", "7 working days", "30 days", "09:30 on the next working day", "2 working hours")


def answers(spec: dict[str, Any], start: str) -> list[str]:
    calendar = calendar_for(CalendarSpec.model_validate(spec))
    dues = [terms.due(terms.parse_term(term), datetime.fromisoformat(start), calendar) for term in QUESTIONS]
    return [text for due in dues for text in (due.at.isoformat(), due.explanation.text("zh-CN"))]


@workflow.defn
class Ask:
    @workflow.run
    async def run(self, spec: dict[str, Any], start: str) -> list[str]:
        return answers(spec, start)


async def test_the_calendar_answers_in_the_sandbox_as_outside(temporal_env: WorkflowEnvironment) -> None:
    """A sandboxed workflow computes the same dues over a change of the clocks as plain code does."""
    start = "2026-10-24T17:50:00+02:00"
    async with Worker(temporal_env.client, task_queue="calendar-sandbox", workflows=[Ask]):
        told = await temporal_env.client.execute_workflow(
            Ask.run, args=[SPEC, start], id="calendar-sandbox", task_queue="calendar-sandbox"
        )
    assert told == answers(SPEC, start)
