"""One exception as it is raised: titled and cured from the catalogue."""

from __future__ import annotations

from qbo_sync_dagster.domain.catalogue import CATALOGUE, ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference


def test_title_and_cure_are_the_catalogues() -> None:
    record = ExceptionRecord(ExceptionKind.ORPHAN, "invoice:1", "It was sent.")

    assert record.title == CATALOGUE[ExceptionKind.ORPHAN].title
    assert record.how_to_resolve == CATALOGUE[ExceptionKind.ORPHAN].cure


def test_values_are_filled_into_the_title() -> None:
    record = ExceptionRecord(
        ExceptionKind.CONNECTION_EXPIRES, "connection:1", "", title_values={"days": "7"}
    )

    assert record.title == "Accounting connection expires in 7 days"


def test_a_reference_says_side_kind_id_and_label_and_stays_short() -> None:
    stored = RecordReference("quickbooks", "Invoice", "145", "x" * 5_000).as_json()

    assert stored == {"side": "quickbooks", "kind": "Invoice", "id": "145", "label": "x" * 200}
