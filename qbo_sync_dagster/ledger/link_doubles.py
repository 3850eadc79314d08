"""Records and objects that are linked twice: the proof behind the unique indexes.

The indexes guard one company. An invoice linked in two companies of a tenant passes them, and
counts one sale in two sets of books.
"""

from __future__ import annotations

import sqlalchemy as sa

_DOUBLES = sa.text(
    """
    WITH mine AS (
        SELECT kind, algapsa_id, quickbooks_id FROM links WHERE realm = :realm AND state = 'live'
    )
    SELECT kind || ' ' || algapsa_id FROM mine
    GROUP BY kind, algapsa_id HAVING count(*) > 1
    UNION
    SELECT kind || ' ' || quickbooks_id || ' in QuickBooks' FROM mine
    WHERE kind IN ('client', 'invoice', 'credit_memo', 'payment')
    GROUP BY kind, quickbooks_id HAVING count(*) > 1
    UNION
    SELECT mine.kind || ' ' || mine.algapsa_id FROM mine
    JOIN links elsewhere ON elsewhere.algapsa_id = mine.algapsa_id AND elsewhere.kind = mine.kind
        AND elsewhere.realm <> :realm AND elsewhere.state = 'live'
    JOIN connections here ON here.realm = :realm
    JOIN connections there ON there.realm = elsewhere.realm AND there.tenant = here.tenant
    WHERE mine.kind IN ('invoice', 'credit_memo')
    ORDER BY 1
    """
)


def doubles(connection: sa.Connection, realm: str) -> list[str]:
    """What is linked twice in a company, as text staff can search for; empty when all is well."""
    return list(connection.execute(_DOUBLES, {"realm": realm}).scalars())
