"""When both sides, changed apart, say the same again: each part must, not most of them."""

from __future__ import annotations

from typing import Any

import pytest

from qbo_sync_dagster.domain.document_view import DELETED, VOIDED
from qbo_sync_dagster.domain.drift import agrees
from qbo_sync_dagster.domain.export import ExportDocument, References, prepare_export

from .conftest import Make


@pytest.fixture
def wanted(document: Make, client: Make) -> ExportDocument:
    """What AlgaPSA would send today: what `view()` shows."""
    references = References(
        customers={"client-1": "58"},
        items={"service-1": "12"},
        tax_codes={},
        terms={"net_30": "3"},
    )
    prepared = prepare_export(document(), client(), references)
    assert isinstance(prepared, ExportDocument)
    return prepared


def test_what_algapsa_would_send_is_an_agreement(wanted: ExportDocument, view: Make) -> None:
    assert agrees(wanted, view(), view())


@pytest.mark.parametrize(
    "change",
    [
        {"customer_id": "59"},
        {"total_minor": 10_001},
        {"currency": "EUR"},
        {"state": VOIDED},
        {"state": DELETED},
    ],
    ids=lambda change: "=".join(map(str, *change.items())),
)
def test_what_quickbooks_keeps_by_itself_must_agree_too(
    wanted: ExportDocument, view: Make, change: dict[str, Any]
) -> None:
    shown = view(**change)

    assert not agrees(wanted, shown, shown)


@pytest.mark.parametrize("change", [{"number": "INV-9"}, {"date": "2026-03-05"}, {"lines": ()}])
def test_each_field_that_was_sent_must_agree(
    wanted: ExportDocument, view: Make, change: dict[str, Any]
) -> None:
    assert not agrees(wanted, view(), view(**change))


def test_a_company_without_currencies_shows_none(wanted: ExportDocument, view: Make) -> None:
    assert agrees(wanted, view(currency=""), view(currency=""))
