"""What people do on a day: one row per act in `ACTS`, with how often it comes up.

Belongs here: acts of AlgaPSA's people, of the bookkeepers, of staff, and the network's weather.
Does not: what must hold afterwards. An act returns False where there is nothing to do it to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any, TypeAlias

from benchmarks.year.provider import Company, Provider
from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.configuring import make_default
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import credit as client_credit
from qbo_sync_dagster.sandbox.algapsa import edits, invoices, payments, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

_RECENT = 60
_LINKED = """
    SELECT algapsa_id, quickbooks_id FROM links
    WHERE realm = :realm AND kind = :kind AND state = 'live'
    ORDER BY link_id DESC LIMIT :recent
"""
_FINAL = """
    SELECT invoice_id::text, total_amount - COALESCE(credit_applied, 0) - COALESCE((
        SELECT sum(p.amount) FROM invoice_payments p WHERE p.invoice_id = i.invoice_id), 0)
        AS balance
    FROM invoices i
    WHERE finalized_at IS NOT NULL AND status <> 'cancelled' AND invoice_type = 'standard'
    ORDER BY invoice_date DESC, invoice_number DESC LIMIT :recent
"""
_OWN_MONEY = """
    SELECT payment_id::text, amount FROM invoice_payments p
    WHERE metadata->'qbo_sync' IS NULL AND amount > 0 AND reference_number NOT IN (
        SELECT replace(reference_number, 'reversal:', '') FROM invoice_payments
        WHERE amount < 0 AND reference_number IS NOT NULL)
    ORDER BY created_at DESC LIMIT :recent
"""


@dataclass
class Day:
    """One day's stage: the provider, chance, and what the year remembers."""

    provider: Provider
    chance: Random
    counter: int = 0
    gaps: list[tuple[str, str]] = field(default_factory=list)

    def company(self) -> Company:
        """Any of the companies."""
        return self.chance.choice(self.provider.companies)

    def number(self) -> int:
        """The next number of the year."""
        self.counter += 1
        return self.counter

    def linked(self, company: Company, kind: str = "invoice") -> list[tuple[str, str]]:
        """Recently linked records (AlgaPSA id, QuickBooks id), in any order."""
        rows = self.provider.ledger_rows(_LINKED, realm=company.realm, kind=kind, recent=_RECENT)
        found = [(row.algapsa_id, row.quickbooks_id) for row in rows]
        self.chance.shuffle(found)
        return found

    def open_invoice(self, company: Company) -> dict[str, Any] | None:
        """A linked QuickBooks invoice that has something open."""
        for _, quickbooks_id in self.linked(company)[:10]:
            found = self.provider.object(company, "Invoice", quickbooks_id)
            if found and found["Balance"] > 0:
                return found
        return None

    def money_in_quickbooks(self, company: Company) -> dict[str, Any] | None:
        """A payment that a bookkeeper recorded."""
        found = [
            each
            for each in self.provider.objects(company, "Payment").values()
            if each["Line"] and str(each.get("PaymentRefNum", "")).startswith("CHQ")
        ]
        return self.chance.choice(found[-_RECENT:]) if found else None


Act: TypeAlias = Callable[[Day], bool]


def bill(day: Day) -> bool:
    """AlgaPSA finalizes an invoice."""
    lines = day.chance.randint(1, 3)
    services = day.chance.sample(day.provider.services, lines)
    _finalized(day, [_charge(day, service) for service in services])
    return True


def bill_new_service(day: Day) -> bool:
    """An invoice over a service that nobody has linked yet: a gap in the mappings."""
    name = f"Project {day.number()}"
    service = day.provider.do(tenants.create_service, tenants.Service(name, 20_000))
    day.gaps.append(("service", service))
    _finalized(day, [_charge(day, service)])
    return True


def close_gap(day: Day) -> bool:
    """Staff link a service or a client that was missing, in both companies."""
    if not day.gaps:
        return False
    kind, identity = day.gaps.pop(0)
    make = day.provider.quickbooks.item if kind == "service" else day.provider.quickbooks.customer
    for company in day.provider.companies:
        made = make(company.realm, f"New in the books {day.number()}")
        day.provider.link(company, [(kind, identity, str(made["Id"]))])
    return True


def bill_new_client(day: Day) -> bool:
    """A client that QuickBooks does not know yet."""
    client = tenants.Client(f"Client {day.number()}", email="ap@example.com")
    client_id = day.provider.do(tenants.create_client, client)
    day.provider.clients.append(client_id)
    day.gaps.append(("client", client_id))
    _finalized(day, [_charge(day, day.provider.services[0])], client_id)
    return True


def credit(day: Day) -> bool:
    """AlgaPSA finalizes a credit note for a client."""
    _finalized(day, [replace(_charge(day, day.provider.services[0]), unit_price=-2_500)])
    return True


def use_credit(day: Day) -> bool:
    """AlgaPSA applies what credit a client has to one of its invoices."""
    found = _final(day)
    if found is None or found[1] <= 0:
        return False
    return day.provider.do(client_credit.apply_credit, found[0]) is not None


def take_credit_back(day: Day) -> bool:
    """AlgaPSA takes back what credit gave to an invoice."""
    found = _final(day)
    return found is not None and day.provider.do(client_credit.reverse_credit, found[0]) > 0


def spend_memo(day: Day) -> bool:
    """A bookkeeper applies a credit memo of QuickBooks' own to an exported invoice."""
    company = day.company()
    found = day.open_invoice(company)
    if found is None:
        return False
    [item, *_] = company.items.values()
    customer, amount = found["CustomerRef"]["value"], min(Decimal(20), Decimal(found["Balance"]))
    number = f"QBC-{day.number()}"
    memo = day.provider.quickbooks.credit_memo(
        company.realm, customer, [(item, amount)], DocNumber=number
    )
    day.provider.quickbooks.apply_credit(
        company.realm, customer, found["Id"], str(memo["Id"]), amount
    )
    return True


def spend_exported_memo(day: Day) -> bool:
    """A bookkeeper applies a credit note that AlgaPSA exported, which AlgaPSA does not know of."""
    company = day.company()
    found = day.open_invoice(company)
    for _, memo_id in day.linked(company, "credit_memo") if found else ():
        memo = day.provider.object(company, "CreditMemo", memo_id)
        if found and memo and memo["RemainingCredit"] > 0:
            customer = found["CustomerRef"]["value"]
            amount = min(Decimal(memo["RemainingCredit"]), Decimal(found["Balance"]))
            day.provider.quickbooks.apply_credit(
                company.realm, customer, found["Id"], memo_id, amount
            )
            return True
    return False


def void_in_algapsa(day: Day) -> bool:
    """AlgaPSA voids an invoice on which nothing was paid."""
    found = _final(day)
    if found is None:
        return False
    day.provider.do(invoices.void_invoice, found[0])
    return True


def reprice(day: Day) -> bool:
    """A hand on AlgaPSA's database changes a finalized invoice."""
    found = _final(day)
    if found is None:
        return False
    [item, *_] = day.provider.do(edits.charge_ids, found[0])
    price = day.chance.randint(1_000, 30_000)
    day.provider.do(edits.reprice_charge, found[0], item, price)
    return True


def receive_in_algapsa(day: Day) -> bool:
    """A client pays in AlgaPSA, in full or in part, by cheque or by card."""
    found = _final(day)
    if found is None or found[1] <= 0:
        return False
    amount = day.chance.choice([found[1], max(1, found[1] // 3)])
    method = day.chance.choice(["check", "stripe"])
    payment = payments.Payment(
        found[0], amount, day.provider.today, method=method, reference=f"REC {day.number()}"
    )
    day.provider.do(payments.record_payment, payment)
    return True


def bounce(day: Day) -> bool:
    """A payment that AlgaPSA recorded is taken back."""
    found = day.provider.algapsa_rows(_OWN_MONEY, recent=_RECENT)
    if not found:
        return False
    day.provider.do(payments.reverse_payment, day.chance.choice(found).payment_id)
    return True


def pay(day: Day) -> bool:
    """A bookkeeper records a cheque over one invoice, in full, in part, or over it."""
    company = day.company()
    found = day.open_invoice(company)
    if found is None:
        return False
    balance = found["Balance"]
    amount = day.chance.choice([balance, balance, max(Decimal("0.01"), _half(balance))])
    total = amount + (Decimal(5) if day.chance.random() < 0.1 else 0)
    _cheque(day, company, found["CustomerRef"]["value"], [(found["Id"], amount)], total)
    return True


def pay_several(day: Day) -> bool:
    """One cheque over several invoices of a customer."""
    company = day.company()
    first = day.open_invoice(company)
    if first is None:
        return False
    customer = first["CustomerRef"]["value"]
    others = [day.provider.object(company, "Invoice", each) for _, each in day.linked(company)[:8]]
    paid = {first["Id"]: first["Balance"]}
    for each in others:
        if each and each["CustomerRef"]["value"] == customer and each["Balance"] > 0:
            paid[each["Id"]] = each["Balance"]
    _cheque(day, company, customer, list(paid.items()), sum(paid.values(), Decimal(0)))
    return True


def edit_cheque(day: Day) -> bool:
    """A bookkeeper lowers a payment by a third."""
    company = day.company()
    found = day.money_in_quickbooks(company)
    if found is None:
        return False
    lines = [(line["LinkedTxn"][0]["TxnId"], _less(line["Amount"])) for line in found["Line"]]
    day.provider.quickbooks.edit_payment(company.realm, found["Id"], lines)
    return True


def undo_cheque(day: Day) -> bool:
    """A bookkeeper voids, deletes or unapplies a payment."""
    company = day.company()
    found = day.money_in_quickbooks(company)
    if found is None:
        return False
    quickbooks = day.provider.quickbooks
    match day.chance.randrange(3):
        case 0:
            quickbooks.void(company.realm, "Payment", found["Id"])
        case 1:
            quickbooks.delete(company.realm, "Payment", found["Id"])
        case _:
            quickbooks.unapply(company.realm, found["Id"])
    return True


def sell_elsewhere(day: Day) -> bool:
    """A sale and its payment that never touch AlgaPSA."""
    company = day.company()
    client = day.provider.clients[0]
    [item, *_] = company.items.values()
    customer = company.customers[client]
    number = f"QB-{day.number()}"
    sold = day.provider.quickbooks.invoice(
        company.realm, customer, [(item, Decimal("12.50"))], DocNumber=number
    )
    _cheque(day, company, customer, [(sold["Id"], Decimal("12.50"))], Decimal("12.50"))
    return True


def edit_document(day: Day) -> bool:
    """A bookkeeper changes an exported invoice: its amount, its number, or a mere note."""
    company = day.company()
    found = day.open_invoice(company)
    if found is None:
        return False
    changes: list[dict[str, Any]] = [
        {"PrivateNote": f"Called {day.number()}"},
        {"DocNumber": f"X-{day.number()}"},
        {"Line": _raised(found["Line"])},
    ]
    day.provider.quickbooks.edit(
        company.realm, "Invoice", found["Id"], **day.chance.choice(changes)
    )
    return True


def lose_document(day: Day) -> bool:
    """A bookkeeper voids or deletes an exported invoice."""
    company = day.company()
    found = day.open_invoice(company)
    if found is None:
        return False
    undo = day.chance.choice([day.provider.quickbooks.void, day.provider.quickbooks.delete])
    undo(company.realm, "Invoice", found["Id"])
    return True


def change_default(day: Day) -> bool:
    """New documents go to the other company from now on."""
    make_default(day.provider.engine.ledger, day.company().realm)
    return True


def decide(day: Day) -> bool:
    """Staff take an action that an open exception offers."""
    company = day.company()
    open_ones = [each for each in day.provider.open_exceptions(company) if each.actions]
    if not open_ones:
        return False
    chosen = day.chance.choice(open_ones)
    action = Action(day.chance.choice(chosen.actions))
    if action not in _DECIDED:
        return False
    choice = Choice(chosen.number, "staff", "Agreed with the client")
    try:
        resolve(day.provider.engine, Resolution(action, choice))
    except ActionRefusedError:
        return False
    return True


def storm(day: Day) -> bool:
    """The network or Intuit fails on some call of the next cycle."""
    effect, kind = day.chance.choice(_WEATHER)
    day.provider.quickbooks.fault(
        effect, realm=day.company().realm, kind=kind, after_calls=day.chance.randrange(3)
    )
    return True


@dataclass(frozen=True, slots=True)
class Habit:
    """An act and how often it comes up, against the others."""

    act: Act
    weight: int


ACTS = (
    Habit(bill, 40),
    Habit(pay, 25),
    Habit(pay_several, 6),
    Habit(receive_in_algapsa, 12),
    Habit(edit_cheque, 5),
    Habit(undo_cheque, 5),
    Habit(edit_document, 5),
    Habit(sell_elsewhere, 4),
    Habit(decide, 20),
    Habit(void_in_algapsa, 3),
    Habit(bounce, 3),
    Habit(credit, 5),
    Habit(use_credit, 6),
    Habit(take_credit_back, 2),
    Habit(spend_memo, 2),
    Habit(spend_exported_memo, 2),
    Habit(bill_new_service, 3),
    Habit(close_gap, 8),
    Habit(bill_new_client, 2),
    Habit(lose_document, 2),
    Habit(reprice, 2),
    Habit(change_default, 2),
    Habit(storm, 3),
)

_WEATHER = (
    ("timeout_after_commit", "batch"),
    ("drop_after_commit", "batch"),
    ("timeout_before", "batch"),
    ("502_html", "any"),
    ("429", "any"),
    ("500", "cdc"),
    ("malformed_json", "batch"),
)
_DECIDED = frozenset(
    {
        *(Action.RETRY, Action.ACCEPT, Action.RE_EXPORT, Action.VOID, Action.DISMISS),
        *(Action.SEND_AGAIN, Action.MATCH, Action.BOTH_REAL, Action.NOT_FROM_ALGAPSA),
    }
)


def _finalized(day: Day, charges: list[Charge], client: str | None = None) -> str:
    provider = day.provider
    who = client or day.chance.choice(provider.clients)
    draft = invoices.InvoiceDraft(who, provider.today, tuple(charges))
    invoice = provider.do(invoices.draft_invoice, draft)
    provider.do(invoices.finalize_invoice, invoice, today=datetime.now(UTC).date())
    return invoice


def _charge(day: Day, service: str) -> Charge:
    quantity = Decimal(day.chance.randint(1, 12))
    return Charge("Work", day.chance.randint(500, 25_000), quantity, service_id=service)


def _final(day: Day) -> tuple[str, int] | None:
    rows = day.provider.algapsa_rows(_FINAL, recent=_RECENT)
    found = day.chance.choice(rows) if rows else None
    return (found.invoice_id, int(found.balance)) if found else None


def _cheque(
    day: Day, company: Company, customer: str, lines: list[tuple[str, Decimal]], total: Decimal
) -> None:
    day.provider.quickbooks.record_payment(
        company.realm, customer, lines, total=total, ref=f"CHQ {day.number()}"
    )


def _half(amount: Decimal) -> Decimal:
    return (Decimal(amount) / 2).quantize(Decimal("0.01"))


def _less(amount: Decimal) -> Decimal:
    return max(Decimal("0.01"), (Decimal(amount) * 2 / 3).quantize(Decimal("0.01")))


def _raised(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sold = [line for line in lines if line["DetailType"] == "SalesItemLineDetail"]
    detail = {
        key: value
        for key, value in sold[0]["SalesItemLineDetail"].items()
        if key not in ("Qty", "UnitPrice")
    }
    first = {**sold[0], "Amount": sold[0]["Amount"] + 10, "SalesItemLineDetail": detail}
    return [first, *sold[1:]]
