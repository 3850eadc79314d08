"""A cycle's plan as a page and as lines: side by side, action by action, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qbo_sync_dagster.panels import words
from qbo_sync_dagster.panels.markdown import bullets, escape
from qbo_sync_dagster.panels.values import Markdown, Panel, Table
from qbo_sync_dagster.sync.preview import Effect, Preview

# Metadata is stored with the run's event, so a page has an end; the command line prints all.
MOST_EFFECTS = 100
MOST_FIELDS = 60
COLUMNS = ("side", "action", "record")


def preview_panel(plan: Preview) -> Panel:
    """The plan with its digest; equal digests mean equal plans."""
    return {
        "company": plan.company_name,
        "open_this": Markdown(preview_page(plan)),
        "effects": len(plan.effects),
        "digest": plan.digest,
        "outcome": plan.outcome.value,
        "plan": Table(
            COLUMNS, tuple((e.side, e.action, e.record) for e in plan.effects[:MOST_EFFECTS])
        ),
    }


def preview_page(plan: Preview) -> str:
    """Every effect with its fields. Markdown."""
    sections = [f"{escape(headline(plan))}\n\nDigest of this plan: `{plan.digest}`"]
    sections += [_section(each) for each in plan.effects[:MOST_EFFECTS]]
    if (left := len(plan.effects) - MOST_EFFECTS) > 0:
        sections.append(f"{words.counted(left, 'more effect')}: `qbo-sync cycle --preview`.")
    return "\n\n".join(sections)


def headline(plan: Preview) -> str:
    """What the plan comes to, in a sentence."""
    if plan.outcome != "succeeded":
        return f"The cycle would end as {plan.outcome.value}: {plan.sentence}"
    if not plan.effects:
        return f"A cycle of {plan.company_name} would do nothing now."
    return (
        f"A cycle of {plan.company_name} would have "
        f"{words.counted(len(plan.effects), 'effect')} now. Nothing was done."
    )


def preview_lines(effects: Sequence[Effect]) -> Iterator[str]:
    """The effects as indented lines, every field on one."""
    for effect in effects:
        yield f"{effect.side}: {effect.action}: {effect.record}"
        for name, value in effect.fields:
            yield f"    {name} = {value}"


def _section(effect: Effect) -> str:
    lines = [
        f"{escape(name)}: {escape(value, longest=600)}"
        for name, value in effect.fields[:MOST_FIELDS]
    ]
    title = f"**{escape(effect.side)}**: {escape(effect.action)}: {escape(effect.record)}"
    return f"{title}\n\n{bullets(lines)}" if lines else title
