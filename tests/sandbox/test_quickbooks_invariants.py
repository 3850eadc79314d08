"""Whatever people do in whatever order, the sums of the books agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qbo_sync_dagster.sandbox.quickbooks.control import SandboxRefusedError

Company = Any

_AMOUNTS = st.integers(1, 20_000).map(lambda cents: Decimal(cents) / 100)
_PLACES = st.integers(0, 5)
_ACTS = st.one_of(
    st.tuples(st.just("invoice"), _AMOUNTS),
    st.tuples(st.just("memo"), _AMOUNTS),
    st.tuples(st.just("pay"), st.lists(st.tuples(_PLACES, _AMOUNTS), max_size=3), _AMOUNTS),
    st.tuples(st.just("repay"), _PLACES, st.lists(st.tuples(_PLACES, _AMOUNTS), max_size=3)),
    st.tuples(st.just("credit"), _PLACES, _PLACES, _AMOUNTS),
    st.tuples(st.just("resize"), _PLACES, _AMOUNTS),
    st.tuples(
        st.sampled_from(["void", "delete"]), st.sampled_from(["Invoice", "Payment"]), _PLACES
    ),
    st.tuples(st.sampled_from(["unapply", "deposit"]), _PLACES),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(_ACTS, min_size=3, max_size=14))
def test_balances_are_the_sums_of_what_they_are_made_of(
    new_company: Callable[..., Company], history: list[tuple[Any, ...]]
) -> None:
    company = new_company()
    for name, *arguments in history:
        # Some acts make no sense at their point in history; then nothing may have happened.
        with suppress(SandboxRefusedError, IndexError):
            _act(company, name, arguments)
        _check(company)


def _act(company: Company, name: str, arguments: list[Any]) -> None:
    control, realm, customer = company.control, company.realm, company.customer
    match name, arguments:
        case "invoice", [amount]:
            control.invoice(realm, customer, [(company.item, amount)])
        case "memo", [amount]:
            control.credit_memo(realm, customer, [(company.item, amount)])
        case "pay", [parts, extra]:
            lines = _lines(company, parts)
            total = sum((amount for _, amount in lines), extra)
            control.record_payment(realm, customer, lines, total=total)
        case "repay", [place, parts]:
            payment = _at(company, "Payment", place)
            control.edit_payment(realm, payment, _lines(company, parts))
        case "credit", [place, memo, amount]:
            invoice = _at(company, "Invoice", place)
            memo_id = _at(company, "CreditMemo", memo)
            control.apply_credit(realm, customer, invoice, memo_id, amount)
        case "resize", [place, amount]:
            lines = company.invoice_body(str(amount))["Line"]
            control.edit(realm, "Invoice", _at(company, "Invoice", place), Line=lines)
        case "void", [entity, place]:
            control.void(realm, entity, _at(company, entity, place))
        case "delete", [entity, place]:
            control.delete(realm, entity, _at(company, entity, place))
        case "unapply", [place]:
            control.unapply(realm, _at(company, "Payment", place))
        case "deposit", [place]:
            control.deposit(realm, _at(company, "Payment", place))


def _at(company: Company, entity: str, place: int) -> str:
    return str(company.control.list(company.realm, entity)[place]["Id"])


def _lines(company: Company, parts: list[tuple[int, Decimal]]) -> list[tuple[str, Decimal]]:
    return [(_at(company, "Invoice", place), amount) for place, amount in parts]


def _check(company: Company) -> None:
    invoices, memos, payments = (
        company.control.list(company.realm, entity)
        for entity in ("Invoice", "CreditMemo", "Payment")
    )
    applied: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    links: dict[str, set[str]] = defaultdict(set)
    for payment in payments:
        for line in payment["Line"]:
            link = line["LinkedTxn"][0]
            applied[link["TxnType"], link["TxnId"]] += line["Amount"]
            links[link["TxnId"]].add(payment["Id"])
        assert payment["UnappliedAmt"] == payment["TotalAmt"] + _signed(payment)
        assert payment["UnappliedAmt"] >= 0
    for invoice in invoices:
        assert invoice["Balance"] == invoice["TotalAmt"] - applied.pop(
            ("Invoice", invoice["Id"]), 0
        )
        assert invoice["Balance"] >= 0
        assert {link["TxnId"] for link in invoice["LinkedTxn"]} == links[invoice["Id"]]
    for memo in memos:
        used = applied.pop(("CreditMemo", memo["Id"]), 0)
        assert memo["RemainingCredit"] == memo["Balance"] == memo["TotalAmt"] - used
    assert not applied
    owed = sum((each["Balance"] for each in invoices), Decimal(0))
    owed -= sum((each["RemainingCredit"] for each in memos), Decimal(0))
    owed -= sum((each["UnappliedAmt"] for each in payments), Decimal(0))
    assert company.get("Customer", company.customer)["Balance"] == owed


def _signed(payment: dict[str, Any]) -> Decimal:
    total = Decimal(0)
    for line in payment["Line"]:
        credit = line["LinkedTxn"][0]["TxnType"] == "CreditMemo"
        total += line["Amount"] if credit else -line["Amount"]
    return total
