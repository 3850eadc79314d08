"""Telling AlgaPSA which of its invoices are exported, so that it refuses to reopen or delete them.

Only for the tenant's default company and on Community Edition: on Enterprise a mapping row makes
AlgaPSA's own engine queue work.
"""

from __future__ import annotations

from qbo_sync_dagster.ledger import audit, links
from qbo_sync_dagster.sync.context import CycleContext


def mirror_links(ctx: CycleContext) -> int:
    """Mirror links that AlgaPSA does not know yet; returns how many rows were written.

    The mark in the ledger follows the write, so a crash between them repeats a write that changes
    nothing. What was written then is put on record with the mark, by whichever cycle makes it.
    """
    if not ctx.connection.is_default:
        return 0
    written = 0
    while True:
        with ctx.reading() as connection:
            unknown = links.unmirrored(connection, ctx.realm)
        if not unknown:
            return written
        ctx.check_lease()
        pairs = {link.algapsa_id: link.quickbooks_id for link in unknown}
        protected = ctx.algapsa.mirror_links(ctx.realm, pairs)
        with ctx.ledger() as connection:
            links.mark_mirrored(connection, [link.link_id for link in unknown])
            audit.append(
                connection,
                ctx.realm,
                [
                    audit.Effect("algapsa", "protect invoice", f"invoice:{invoice_id}")
                    for invoice_id in sorted(protected)
                ],
            )
        written += len(protected)
        ctx.tally.algapsa_writes += len(protected)
