"""Request ids: the same attempt always has the same one, another attempt never."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.domain.request_ids import batch_request_id, item_id, posting_request_id

ATTEMPT = ("9341453", "export_invoice", "0b4d2a52", 1, 1)


def test_an_attempt_has_the_same_id_in_any_process_and_any_restored_ledger() -> None:
    assert posting_request_id(*ATTEMPT) == "f3d3c7f0584aa748d7de92c52ff3bd9d"


@pytest.mark.parametrize(
    "other",
    [
        ("9341454", "export_invoice", "0b4d2a52", 1, 1),
        ("9341453", "create_customer", "0b4d2a52", 1, 1),
        ("9341453", "export_invoice", "0b4d2a53", 1, 1),
        ("9341453", "export_invoice", "0b4d2a52", 2, 1),
        ("9341453", "export_invoice", "0b4d2a52", 1, 2),
        ("9341453", "export_invoice", "0b4d2a521", 1, 1),
        ("9341453", "export_invoice", "0b4d2a5", 21, 1),
    ],
)
def test_another_company_kind_record_object_or_attempt_has_another_id(
    other: tuple[str, str, str, int, int],
) -> None:
    assert posting_request_id(*other) != posting_request_id(*ATTEMPT)


def test_a_batch_of_another_composition_or_order_is_another_batch() -> None:
    ids = {batch_request_id(each) for each in (["a", "b"], ["b", "a"], ["a"], ["a", "b", "c"])}

    assert len(ids) == 4


def test_a_batch_of_one_is_not_taken_for_its_only_item() -> None:
    single = posting_request_id(*ATTEMPT)

    assert batch_request_id([single]) != single


def test_ids_are_as_short_as_intuit_wants_them() -> None:
    assert len(posting_request_id(*ATTEMPT)) <= 36
    assert len(batch_request_id([posting_request_id(*ATTEMPT)] * 30)) <= 36
    assert len(item_id(29)) <= 10
