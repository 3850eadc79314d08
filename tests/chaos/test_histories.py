"""The model test: the model says what the books must be, and the machine sees what they are not."""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa

from chaos.expected import Bill, Expected, Note, Receipt
from chaos.histories import machine_of
from chaos.machine import BooksMachine
from chaos.promises import DuplicateError, disagreements
from chaos.stores import Stores
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess

_AGAIN = """
    INSERT INTO invoice_payments (
        payment_id, tenant, invoice_id, amount, payment_method, payment_date, status, metadata)
    SELECT gen_random_uuid(), tenant, invoice_id, amount, payment_method, payment_date, status,
        jsonb_set(metadata, '{qbo_sync,payment}', '"9999"')
    FROM invoice_payments
"""


def _bill(number: str = "INV-1", **options: str | bool) -> Bill:
    return Bill("one", number, 0, 10_000, **options)  # type: ignore[arg-type]


def test_money_and_credit_of_both_sides_take_from_what_is_open() -> None:
    bill = _bill()
    model = Expected(
        bills=[bill],
        notes=[Note("CN-1", 500)],
        receipts=[Receipt("r", bill, 2_000)],
        cheques={"181": {"INV-1": 3_000}},
        uses=[("CN-1", "INV-1", 400)],
    )
    assert model.open(bill) == 4_600
    assert model.documents() == Counter(
        {("Invoice", "INV-1", 10_000): 1, ("CreditMemo", "CN-1", 500): 1}
    )
    assert model.paid_in_quickbooks() == Counter({("INV-1", 3_000): 1, ("INV-1", 2_000): 1})
    assert model.paid_in_algapsa() == Counter({("INV-1", 3_000): 1})
    assert not model.gaps()


def test_what_waits_for_staff_is_expected_on_neither_side_and_explains_an_exception() -> None:
    waiting, old = _bill(lacks="a service"), _bill("OLD-1", is_known=False)
    model = Expected(bills=[waiting, old], cheques={"181": {"OLD-1": 100}})
    assert model.documents() == Counter({("Invoice", "OLD-1", 10_000): 1})
    assert model.paid_in_algapsa() == Counter()
    assert model.gaps() == [waiting, old]


@pytest.fixture
def history(
    sandbox_of_its_own: tuple[SandboxProcess, Stores],
) -> BooksMachine:
    process, stores = sandbox_of_its_own
    started = machine_of(stores, process)()
    started.begin()
    started.pay(0, 4_000)
    started.receive(1, 2_500)
    started.use_credit(2, 700)
    return started


def test_a_history_comes_to_rest_with_both_books_as_the_model_says(history: BooksMachine) -> None:
    history.fault("timeout_after_commit", "batch", 0)
    history.crash(12)
    history.change_a_payment(0, 3_000)
    history.bounce(0, 1)
    history.teardown()
    assert history.tally["death"] == 1


def test_the_machine_sees_a_payment_that_stands_twice(history: BooksMachine) -> None:
    history.come_to_rest()
    with history.world.stores.algapsa.begin() as connection:
        connection.execute(sa.text(_AGAIN))
    with pytest.raises(DuplicateError, match="Twice in the books"):
        history.cycle()


def test_the_machine_sees_what_is_lost_and_what_nobody_was_told(history: BooksMachine) -> None:
    history.come_to_rest()
    history.history.expected.cheques["9999"] = {history.history.expected.bills[2].number: 100}
    history.history.expected.bills[1].lacks = "a service"
    told = " ".join(disagreements(history.history))
    assert "paid in AlgaPSA" in told
    assert "documents" in told
    assert "nobody is told of" in told
