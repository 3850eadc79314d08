"""Credit notes that QuickBooks applies, against AlgaPSA's own applications: pure pairing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.credits import CreditParts
from qbo_sync_dagster.domain.credits_in import (
    CreditUse,
    carried,
    read_uses,
    without_accepted,
)


def applied(
    name: str,
    note: str = "note",
    invoice: str = "invoice",
    minor: int = 3_000,
    source_type: str | None = "credit_note",
) -> CreditApplication:
    day = date(2026, 3, 20)
    return CreditApplication(name, "credit", invoice, minor, day, note, source_type, False)


def use(
    payment: str = "9",
    invoices: Mapping[str, int] | None = None,
    notes: Mapping[str, int] | None = None,
) -> CreditUse:
    return CreditUse(payment, invoices or {"invoice": 3_000}, notes or {"note": 3_000})


def test_the_same_note_on_the_same_invoice_with_the_same_amount_is_the_same() -> None:
    found = read_uses([use()], [applied("a")])

    assert [each.key for each in found.answers["9"]] == ["a:credit"]
    assert (found.open, found.disputes) == ((), ())


def test_each_application_answers_one_payment_only() -> None:
    found = read_uses([use("9"), use("10")], [applied("a")])

    assert list(found.answers) == ["9"]
    assert [each.payment_id for each in found.open] == ["10"]


def test_a_note_used_three_times_is_told_apart_by_amount() -> None:
    uses = [use(str(n), {"invoice": n * 100}, {"note": n * 100}) for n in (1, 2, 3)]
    ours = [applied(f"a{n}", minor=n * 100) for n in (3, 1, 2)]

    found = read_uses(uses, ours)

    assert {key: each[0].minor for key, each in found.answers.items()} == {
        "1": 100,
        "2": 200,
        "3": 300,
    }


def test_one_payment_may_be_several_applications_that_come_to_its_amount() -> None:
    found = read_uses([use()], [applied("a", minor=1_000), applied("b", minor=2_000)])

    assert len(found.answers["9"]) == 2


def test_another_amount_of_the_same_note_is_a_dispute_about_the_note() -> None:
    found = read_uses([use()], [applied("a", minor=1_000)])

    assert found.answers == {}
    [dispute] = found.disputes
    assert (dispute.note_id, found.is_disputed("9")) == ("note", True)


def test_the_same_note_on_another_invoice_is_a_dispute_about_the_note() -> None:
    found = read_uses([use()], [applied("a", invoice="another")])

    [dispute] = found.disputes
    assert [each.key for each in dispute.applications] == ["a:credit"]


def test_another_note_on_the_same_invoice_settles_it_as_well() -> None:
    found = read_uses([use()], [applied("a", note="another")])

    assert [each.key for each in found.answers["9"]] == ["a:credit"]


def test_the_same_note_goes_before_another_one() -> None:
    found = read_uses([use()], [applied("a", note="another"), applied("b")])

    assert [each.key for each in found.answers["9"]] == ["b:credit"]


def test_credit_that_is_no_credit_note_answers_nothing() -> None:
    found = read_uses([use()], [applied("a", source_type="prepayment")])

    assert (found.answers, found.disputes) == ({}, ())
    assert len(found.open) == 1


def test_no_invoice_gets_more_than_the_payment_brings_it() -> None:
    wide = use(invoices={"one": 1_000, "two": 2_000})
    ours = [applied("a", invoice="one", minor=2_000), applied("b", invoice="two", minor=1_000)]

    assert read_uses([wide], ours).answers == {}


def test_what_a_payment_stands_for_already_is_not_wanted_again() -> None:
    rest, lost = carried(use(), [CreditParts("note", "invoice", 3_000)])

    assert (rest.on_invoices, rest.from_notes, lost) == ({}, {}, ())


def test_a_payment_that_shrank_lacks_what_it_stood_for() -> None:
    small = use(invoices={"invoice": 1_000}, notes={"note": 1_000})

    rest, lost = carried(small, [CreditParts("note", "invoice", 3_000)])

    assert lost == (0,)
    assert rest.on_invoices == {"invoice": 1_000}


def test_an_accepted_use_leaves_only_the_money() -> None:
    mixed = use(invoices={"invoice": 10_000})

    rest = without_accepted(mixed, {"note"})

    assert (rest.on_invoices, rest.from_notes) == ({"invoice": 7_000}, {})


def test_less_on_the_invoice_than_was_applied_is_lost_though_its_memo_is_not_linked() -> None:
    rest, lost = carried(
        use(invoices={"invoice": 2_000}, notes={"other": 2_000}),
        [CreditParts("", "invoice", 3_000)],
    )

    assert lost == (0,)
    assert rest.on_invoices == {"invoice": 2_000}


def test_less_from_the_note_than_was_applied_is_lost_though_money_settles_the_invoice() -> None:
    rest, lost = carried(
        use(invoices={"invoice": 3_000}, notes={"note": 1_000}),
        [CreditParts("note", "invoice", 3_000)],
    )

    assert lost == (0,)
    assert rest.from_notes == {"note": 1_000}


def test_accepted_credit_settles_one_invoice_and_then_the_next() -> None:
    left = without_accepted(use(invoices={"a": 1_000, "b": 2_000}, notes={"note": 1_500}), {"note"})

    assert left.on_invoices == {"b": 1_500}
