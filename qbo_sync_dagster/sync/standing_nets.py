"""What stands in AlgaPSA of QuickBooks' payments, held against what was last written of them.

It is counted as the audit log counts it: rows of ours, and rows of AlgaPSA's own that were matched.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.domain.algapsa_payments import PaymentRecord
from qbo_sync_dagster.ledger import payment_links
from qbo_sync_dagster.ledger.payment_links import PaymentLink
from qbo_sync_dagster.sync.engine import SyncEngine

# By payment its net per invoice, in minor units.
_Nets = Mapping[str, Mapping[str, int]]


def lost_payments(engine: SyncEngine, algapsa: AlgaPsa, realm: str, written: _Nets) -> list[str]:
    """The payments of which AlgaPSA does not hold what was written. Raises AlgaPsaError.

    One that AlgaPSA's own payment was sent as is none of them: it is never applied.
    """
    ours = algapsa.standing_payments(realm, list(written))
    differing = _differing(written, ours)
    if not differing:
        return []
    with engine.ledger.connect() as connection:
        linked = payment_links.of_payments(connection, realm, differing)
    # Only of those that seem to differ each row is read: matched ones explain it, mostly.
    touched = {invoice for each in differing for invoice in (*written[each], *ours.get(each, ()))}
    rows = algapsa.payments(touched | {link.invoice_id for link in linked if link.invoice_id})
    pushed = {link.quickbooks_id for link in linked if link.is_pushed}
    left = {each: written[each] for each in differing if each not in pushed}
    return _differing(left, _nets(realm, rows, linked))


def _differing(written: _Nets, standing: _Nets) -> list[str]:
    return [each for each, nets in written.items() if _some(nets) != _some(standing.get(each, {}))]


def _some(nets: Mapping[str, int]) -> dict[str, int]:
    return {invoice_id: int(minor) for invoice_id, minor in nets.items() if minor}


def _nets(realm: str, rows: Sequence[PaymentRecord], linked: Iterable[PaymentLink]) -> _Nets:
    matched = {link.algapsa_id: link.quickbooks_id for link in linked}
    own = {row.row_id for row in rows if row.key is None}
    nets: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if payment_id := _payment_of(realm, row, matched, own):
            nets[payment_id][row.invoice_id] += row.minor
    return nets


def _payment_of(
    realm: str, row: PaymentRecord, matched: Mapping[str, str], own: Collection[str]
) -> str | None:
    """Which payment the row counts for, if it counts for any."""
    if row.key is None:
        return matched.get(row.row_id)
    if row.key.realm != realm:
        return None
    # What takes back a row that is matched no more is AlgaPSA's affair, as the row is.
    is_apart = row.reverses in own and matched.get(str(row.reverses)) != row.key.payment_id
    return None if is_apart else row.key.payment_id
