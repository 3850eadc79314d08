"""The list of invoices on a terminal."""

from __future__ import annotations

from datetime import date

import pytest

from qbo_sync_dagster.cli import invoices
from qbo_sync_dagster.domain.invoice_sync import SyncState
from qbo_sync_dagster.sync.invoice_status import InvoiceStatus


def row(number: str, state: SyncState, *, there: str = "", note: str = "") -> InvoiceStatus:
    return InvoiceStatus(
        invoice_id=number,
        number=number,
        client="Reed Dental",
        date=date(2026, 11, 22),
        total_minor=4_500,
        currency="USD",
        state=state,
        link_kind="invoice",
        quickbooks_id="7" if there else "",
        quickbooks_number=there,
        last_sync=None,
        note=note,
    )


def test_a_line_each_with_the_note_below_and_another_number_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    invoices._show(
        [
            row("INV-1", SyncState.ERROR, note="Scheduled accounting export failed validation"),
            row("INV-2", SyncState.SYNCED, there="INV-2"),
            row("INV-3", SyncState.SYNCED, there="1042"),
        ]
    )

    assert capsys.readouterr().out.splitlines() == [
        "INV-1  2026-11-22  45.00 USD  error           Reed Dental",
        "       Scheduled accounting export failed validation",
        "INV-2  2026-11-22  45.00 USD  synced          Reed Dental",
        "INV-3  2026-11-22  45.00 USD  synced as 1042  Reed Dental",
    ]
