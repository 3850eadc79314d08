"""Panels become Dagster metadata without losing their order or their types."""

from __future__ import annotations

import dagster as dg

from assets.metadata import check_result, to_metadata
from qbo_sync_dagster.panels.checks import Check, Verdict
from qbo_sync_dagster.panels.values import Markdown, Table


def test_values_keep_their_order_and_kind() -> None:
    metadata = to_metadata(
        {
            "company": "Alder",
            "pending_ops": 3,
            "seconds": 0.5,
            "open_this": Markdown("# Page"),
        }
    )

    assert list(metadata) == ["company", "pending_ops", "seconds", "open_this"]
    assert metadata["company"] == dg.MetadataValue.text("Alder")
    assert metadata["pending_ops"] == dg.MetadataValue.int(3)
    assert metadata["seconds"] == dg.MetadataValue.float(0.5)
    assert metadata["open_this"] == dg.MetadataValue.md("# Page")


def test_a_table_names_and_types_its_columns() -> None:
    value = to_metadata({"t": Table(("number", "title"), ((7, "Drift"),))})["t"]

    assert isinstance(value, dg.TableMetadataValue)
    assert [(column.name, column.type) for column in value.schema.columns] == [
        ("number", "int"),
        ("title", "string"),
    ]
    assert value.records == [dg.TableRecord({"number": 7, "title": "Drift"})]


def test_an_empty_table_is_still_a_table() -> None:
    value = to_metadata({"t": Table(("number",), ())})["t"]

    assert isinstance(value, dg.TableMetadataValue)
    assert value.records == []


def test_what_is_worth_a_look_warns_and_what_is_wrong_is_an_error() -> None:
    look = Verdict(Check.QUEUE_PENDING, False, "4 waiting.", True, {"pending_ops": 4})
    wrong = Verdict(Check.LAST_CYCLE, False, "It failed.")

    assert check_result(look, "posted_operations").severity == dg.AssetCheckSeverity.WARN
    assert check_result(look, "posted_operations").metadata == {
        "pending_ops": dg.MetadataValue.int(4)
    }
    assert check_result(wrong, "sync_health").severity == dg.AssetCheckSeverity.ERROR
    assert check_result(wrong, "sync_health").description == "It failed."
