"""`python -m benchmarks.payments`: N payments from QuickBooks into AlgaPSA, in one cycle.

Each pays one linked invoice in full. More than 1,000 make the change poll fall back to queries.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from benchmarks.report import parser, say, show
from benchmarks.world import BenchmarkError, World, http_calls, open_world, sales_line, today

_BILLED_DAYS_AGO = 20
_INVOICES = sa.text(
    "SELECT invoice_id::text, invoice_number, client_id::text, total_amount FROM invoices"
)
_UNPAID = sa.text("SELECT count(*) FROM invoices WHERE status <> 'paid'")


def measure(payments: int, *, forgetful: bool = False) -> dict[str, float]:
    """The figures of one cycle. Raises BenchmarkError if an invoice is not paid afterwards."""
    with open_world(forgetful=forgetful) as world:
        say(f"Billing {payments:,} invoices on both sides ...")
        world.bill(payments, days_ago=_BILLED_DAYS_AGO)
        invoices = _in_both(world)
        say("Linking them ...")
        world.cycle(keeps_limits=False)
        say("Recording a payment of each in QuickBooks ...")
        world.seed([_payment(world, *invoice) for invoice in invoices])
        say("Applying them in one cycle ...")
        world.quickbooks.forget_calls(world.realm)
        report = world.cycle(keeps_limits=True)
        calls, _ = http_calls(world)
        _check(world, report.payments_applied, payments)
    say(f"Stages in seconds: {report.stages}")
    return {
        "payments": payments,
        "seconds": report.seconds,
        "engine_cpu_seconds": report.engine_cpu_seconds,
        "peak_mib": report.peak_mib,
        "http_calls": calls,
    }


def _in_both(world: World) -> list[tuple[str, str, int]]:
    """Give QuickBooks AlgaPSA's invoices and link them: (QuickBooks id, client id, cents)."""
    with world.algapsa.connect() as connection:
        billed = connection.execute(_INVOICES).all()
    ids = world.seed([_invoice(world, row) for row in billed])
    pairs = list(zip(billed, ids, strict=True))
    world.link([("invoice", row.invoice_id, quickbooks_id) for row, quickbooks_id in pairs])
    return [(quickbooks_id, row.client_id, row.total_amount) for row, quickbooks_id in pairs]


def _invoice(world: World, row: sa.Row[Any]) -> dict[str, Any]:
    [item, *_] = world.services.values()
    made = datetime.now(UTC) - timedelta(days=_BILLED_DAYS_AGO)
    return {
        "entity": "Invoice",
        "created": made.isoformat(),
        "body": {
            "CustomerRef": {"value": world.customers[row.client_id]},
            "DocNumber": row.invoice_number,
            "TxnDate": (today() - timedelta(days=_BILLED_DAYS_AGO)).isoformat(),
            "Line": [sales_line(item, row.total_amount)],
        },
    }


def _payment(world: World, invoice: str, client: str, cents: int) -> dict[str, Any]:
    amount = Decimal(cents).scaleb(-2)
    linked: Sequence[dict[str, str]] = [{"TxnType": "Invoice", "TxnId": invoice}]
    return {
        "entity": "Payment",
        "body": {
            "CustomerRef": {"value": world.customers[client]},
            "TotalAmt": amount,
            "TxnDate": today().isoformat(),
            "Line": [{"Amount": amount, "LinkedTxn": linked}],
        },
    }


def _check(world: World, applied: int, wanted: int) -> None:
    with world.algapsa.connect() as connection:
        unpaid = connection.execute(_UNPAID).scalar_one()
    if applied != wanted or unpaid:
        raise BenchmarkError(f"{applied:,} of {wanted:,} payments applied, {unpaid:,} unpaid.")


def main() -> None:
    """Measure what the command line asks for."""
    options = parser("benchmarks.payments", "Apply N QuickBooks payments to AlgaPSA in one cycle.")
    options.add_argument("--payments", type=int, default=1000, metavar="N")
    given = options.parse_args()
    try:
        figures = measure(given.payments, forgetful=given.forgetful)
    except BenchmarkError as error:
        sys.exit(str(error))
    show(figures, as_json=given.json)


if __name__ == "__main__":
    main()
