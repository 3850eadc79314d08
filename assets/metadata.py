"""Panels as Dagster metadata: the only place that knows both."""

from __future__ import annotations

from datetime import datetime

import dagster as dg

from qbo_sync_dagster.domain.foreign_text import one_line
from qbo_sync_dagster.panels.checks import Verdict
from qbo_sync_dagster.panels.markdown import harmless
from qbo_sync_dagster.panels.values import Markdown, Panel, Table, Value


def to_metadata(panel: Panel) -> dict[str, dg.MetadataValue]:
    """The panel's values in their order."""
    return {name: _value(value) for name, value in panel.items()}


def check_result(verdict: Verdict, asset: str) -> dg.AssetCheckResult:
    """A verdict as the result of a check on `asset`."""
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=verdict.check.value,
        passed=verdict.passed,
        severity=severity(verdict),
        description=harmless(verdict.sentence),
        metadata=dict(verdict.figures),
    )


def severity(verdict: Verdict) -> dg.AssetCheckSeverity:
    """WARN for what is worth a look, ERROR for what is wrong."""
    return dg.AssetCheckSeverity.WARN if verdict.is_warning else dg.AssetCheckSeverity.ERROR


def _value(value: Value) -> dg.MetadataValue:
    match value:
        case Markdown(text):
            return dg.MetadataValue.md(text)
        case Table():
            return _table(value)
        case datetime():
            return dg.MetadataValue.timestamp(value)
        case bool() | str():
            return dg.MetadataValue.text(one_line(str(value)))
        case int():
            return dg.MetadataValue.int(value)
        case float():
            return dg.MetadataValue.float(value)


def _table(table: Table) -> dg.TableMetadataValue:
    """Rows by column name. The type of a column is that of its first cell."""
    first = table.rows[0] if table.rows else ("",) * len(table.columns)
    schema = dg.TableSchema(
        columns=[
            dg.TableColumn(name, type="int" if isinstance(cell, int) else "string")
            for name, cell in zip(table.columns, first, strict=True)
        ]
    )
    records = [
        dg.TableRecord(dict(zip(table.columns, map(_cell, row), strict=True))) for row in table.rows
    ]
    return dg.MetadataValue.table(records, schema=schema)


def _cell(value: str | int) -> str | int:
    return one_line(value) if isinstance(value, str) else value
