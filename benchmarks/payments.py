"""`python -m benchmarks.payments`: N payments from QuickBooks into AlgaPSA, in one cycle.

Each pays one linked invoice in full. More than 1,000 make the change poll fall back to queries.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from benchmarks.linked_invoices import LinkedInvoice, linked_invoices
from benchmarks.report import parser, say, show
from benchmarks.world import BenchmarkError, World, http_calls, open_world, today

_UNPAID = sa.text("SELECT count(*) FROM invoices WHERE status <> 'paid'")


def measure(payments: int, *, forgetful: bool = False) -> dict[str, float]:
    """The figures of one cycle. Raises BenchmarkError if an invoice is not paid afterwards."""
    with open_world(forgetful=forgetful) as world:
        say(f"Billing and linking {payments:,} invoices on both sides ...")
        invoices = linked_invoices(world, payments)
        say("Recording a payment of each in QuickBooks ...")
        world.seed([_payment(world, invoice) for invoice in invoices])
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


def _payment(world: World, invoice: LinkedInvoice) -> dict[str, Any]:
    amount = Decimal(invoice.cents).scaleb(-2)
    linked = [{"TxnType": "Invoice", "TxnId": invoice.quickbooks_id}]
    return {
        "entity": "Payment",
        "body": {
            "CustomerRef": {"value": world.customers[invoice.client_id]},
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
