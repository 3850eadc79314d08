"""What scenarios about credit notes share: making one, applying it, and looking at QuickBooks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import credit
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from tests.scenarios.conftest import Books, World


def note(world: World, cents: int = 3_000, client: int = 0) -> Books:
    """A finalized credit note, not exported yet."""
    charge = Charge("Refund", -cents, service_id=world.service)
    return world.finalize(world.draft(charges=(charge,), client=client))


def apply(
    world: World, invoice: Books, cents: int | None = None, **options: Any
) -> credit.CreditApplication:
    """Credit that AlgaPSA's people apply to the invoice."""
    applied = world.do(credit.apply_credit, invoice.invoice_id, cents, **options)
    assert applied is not None
    return applied


def key(applied: credit.CreditApplication) -> str:
    """What the one application is known by."""
    [draw] = applied.draws
    return f"{applied.transaction_id}:{draw.credit_id}"


def take_back(world: World, invoice: Books) -> None:
    """AlgaPSA's people take all credit off the invoice again."""
    world.do(credit.reverse_credit, invoice.invoice_id)


def balance(world: World, invoice: Books) -> Decimal:
    """What is open on the QuickBooks invoice."""
    [found] = world.in_quickbooks(invoice)
    return Decimal(str(found["Balance"]))


def remaining(world: World) -> list[Decimal]:
    """What is left of each credit memo in QuickBooks."""
    memos = world.quickbooks.list(world.company.realm, "CreditMemo")
    return [Decimal(str(memo["RemainingCredit"])) for memo in memos]


def linking(world: World) -> list[dict[str, Any]]:
    """The payments of nothing that stand in QuickBooks."""
    found = world.quickbooks.list(world.company.realm, "Payment")
    return [each for each in found if not Decimal(str(each["TotalAmt"]))]


def settled(world: World) -> None:
    """Another two cycles find nothing to do."""
    before = world.stands()
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"
    assert world.stands() == before
    assert world.operations() == {}


def settle(world: World, title: str, action: Action, target: str = "") -> str:
    """Staff settle the one open exception of this title."""
    choice = Choice(world.exception(title).number, "staff", "as the bank shows it")
    return resolve(world.engine, Resolution(action, choice, target))
