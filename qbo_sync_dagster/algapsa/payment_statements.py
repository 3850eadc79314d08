"""The two texts that one payment takes in AlgaPSA's database, prepared once per connection.

Belongs here: the statements and how they are sent. What their rows mean is `payments_write`'s.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from qbo_sync_dagster.algapsa.sql import METADATA_KEY, book_date

_UNKNOWN_STATEMENT = "26000"
_DUPLICATE_STATEMENT = "42P05"
_MARK = "qbo_sync_prepared_payments"
# A table that was empty when its plan was made may be read through any index, the wrong ones too;
# so plans live for this many payments and are then made for the size that tables have by now.
_PLAN_LIFE = 200

_TYPES = {
    "lock": "bigint",
    "tenant": "uuid",
    "time_zone": "text",
    "ids": "uuid[]",
    "payments": "jsonb",
    "transactions": "jsonb",
    "paid_ids": "uuid[]",
    "statuses": "text[]",
}
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")

# A plan made once outlives the size that the tables had: a scan of a table that was empty then
# would read all of it for every payment. Each statement looks its rows up by key.
_SETTINGS = """
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    SET LOCAL lock_timeout = '5s';
    SET LOCAL idle_in_transaction_session_timeout = '30s';
    SET LOCAL plan_cache_mode = 'force_generic_plan';
    SET LOCAL enable_seqscan = off
"""
# One round trip, but statements of their own: each takes a new snapshot, so what is read last
# is what stands after the locks were granted, and not what stood while we waited for them.
_OPEN = (
    "SELECT pg_advisory_xact_lock(:lock)",
    """
    SELECT FROM invoices
    WHERE tenant = :tenant AND invoice_id = ANY(:ids)
    ORDER BY invoice_id FOR UPDATE
    """,
    f"""
    SELECT i.invoice_id::text, i.client_id::text, i.invoice_number, i.status, i.currency_code,
        i.total_amount, COALESCE(i.credit_applied, 0) AS credit_applied,
        EXISTS (
            SELECT FROM prepaid_balance_alerts a
            WHERE a.tenant = i.tenant AND a.replenishment_invoice_id = i.invoice_id
        ) AS replenishes,
        (
            SELECT jsonb_agg(jsonb_build_array(p.payment_id, p.amount,
                p.metadata->'{METADATA_KEY}', {book_date("COALESCE(p.payment_date, p.created_at)")})
                ORDER BY p.created_at, p.payment_id)
            FROM invoice_payments p
            WHERE p.tenant = i.tenant AND p.invoice_id = i.invoice_id
        ) AS payments,
        CASE WHEN i.credit_applied <> 0 THEN (
            SELECT jsonb_agg(jsonb_build_array(t.transaction_id, t.type, t.amount,
                t.metadata->>'reversal_of'))
            FROM transactions t
            WHERE t.tenant = i.tenant AND t.invoice_id = i.invoice_id
                AND t.type IN ('credit_application', 'credit_adjustment')
        ) END AS credits
    FROM invoices i
    WHERE i.tenant = :tenant AND i.invoice_id = ANY(:ids)
    """,
)
# Plain inserts and no ON CONFLICT: a computed id that is taken must stop the transaction.
_WRITE = (
    """
    INSERT INTO invoice_payments (tenant, payment_id, invoice_id, amount, payment_method,
        payment_date, reference_number, notes, status, metadata)
    SELECT tenant, payment_id, invoice_id, amount, payment_method,
        COALESCE(payment_date, now()), reference_number, notes, status, metadata
    FROM jsonb_populate_recordset(NULL::invoice_payments, :payments)
    """,
    """
    INSERT INTO transactions (tenant, transaction_id, invoice_id, client_id, type, amount, status,
        currency_code, description, reference_number, related_transaction_id, metadata)
    SELECT tenant, transaction_id, invoice_id, client_id, type, amount, status,
        currency_code, description, reference_number, (
            SELECT original.transaction_id FROM transactions original
            WHERE original.tenant = :tenant
                AND original.transaction_id = written.related_transaction_id
        ), metadata
    FROM jsonb_populate_recordset(NULL::transactions, :transactions) written
    """,
    """
    UPDATE invoices i SET status = s.status, updated_at = now()
    FROM unnest(:paid_ids, :statuses) AS s(invoice_id, status)
    WHERE i.tenant = :tenant AND i.invoice_id = s.invoice_id
    """,
)


class PaymentStatements:
    """Sends the texts over one connection, which parses and plans them once.

    A pooler that deals transactions over several server connections forgets what was prepared;
    then they are sent in full.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._opened = 0
        if _MARK not in connection.info:
            connection.info[_MARK] = _is_prepared(connection)

    def forgotten(self, error: DBAPIError) -> bool:
        """Whether the connection no longer knows what it prepared; from now on all goes in full."""
        is_forgotten = self._connection.info[_MARK] and _code(error) == _UNKNOWN_STATEMENT
        if is_forgotten:
            self._connection.info[_MARK] = False
        return is_forgotten

    def open(self, values: Mapping[str, object]) -> Sequence[sa.Row[Any]]:
        """Lock the payment `:lock`, then the invoices `:ids`; their states under the locks."""
        if self._opened % _PLAN_LIFE == 0:
            self._connection.exec_driver_sql("DISCARD PLANS")
        self._opened += 1
        return self._connection.execute(self._texts.open, values).all()

    def write(self, values: Mapping[str, object]) -> None:
        """Append rows and set statuses."""
        self._connection.execute(self._texts.write, values)

    @property
    def _texts(self) -> _Texts:
        return _PREPARED if self._connection.info[_MARK] else _IN_FULL


@dataclass(frozen=True, slots=True)
class _Texts:
    open: sa.TextClause
    write: sa.TextClause


def _is_prepared(connection: sa.Connection) -> bool:
    try:
        with connection.begin():
            connection.exec_driver_sql(";".join(map(_prepare, (*_OPEN, *_WRITE))))
    except DBAPIError as error:
        # Another client of a pooler prepared it on this server connection before us.
        if _code(error) != _DUPLICATE_STATEMENT:
            raise
        return False
    return True


def _prepare(statement: str) -> str:
    names = _names(statement)
    body = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    return f"PREPARE {_label(statement)} ({', '.join(_TYPES[name] for name in names)}) AS {body}"


def _execute(statement: str) -> str:
    return f"EXECUTE {_label(statement)} ({', '.join(map(_cast, _names(statement)))})"


def _in_full(statement: str) -> str:
    return _PARAMETER.sub(lambda found: _cast(found[1]), statement)


def _names(statement: str) -> list[str]:
    return list(dict.fromkeys(_PARAMETER.findall(statement)))


def _cast(name: str) -> str:
    return f"CAST(:{name} AS {_TYPES[name]})"


def _label(statement: str) -> str:
    # By content: what an older version of ours left on a pooled connection is not this.
    return f"qbo_sync_{hashlib.sha256(statement.encode()).hexdigest()[:16]}"


def _code(error: DBAPIError) -> str | None:
    code: str | None = getattr(error.orig, "pgcode", None)
    return code


_PREPARED = _Texts(
    sa.text(";".join([_SETTINGS, *map(_execute, _OPEN)])),
    sa.text(";".join(map(_execute, _WRITE))),
)
_IN_FULL = _Texts(
    sa.text(";".join([_SETTINGS, *map(_in_full, _OPEN)])),
    sa.text(";".join(map(_in_full, _WRITE))),
)
