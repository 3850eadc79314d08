"""Stage 2: total differences that the company's setting accepts by now. Local, no calls."""

from __future__ import annotations

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.totals import accepted_part
from qbo_sync_dagster.ledger import audit, exceptions, links
from qbo_sync_dagster.sync.context import CycleContext


def accept_small_differences(ctx: CycleContext) -> int:
    """Accept open differences within the setting, which staff may have raised since they arose.

    Returns how many. Their payments, which waited, are planned anew in the same stage.
    """
    cents = ctx.connection.accepted_cents
    if not cents:
        return 0
    with ctx.ledger() as connection:
        accepted = [
            link
            for link in links.with_open_difference(connection, ctx.realm)
            if accepted_part(link.difference_minor, cents)
        ]
        for link in accepted:
            links.update(connection, link.link_id, accepted_minor=link.difference_minor)
        exceptions.resolve(
            connection,
            ctx.realm,
            [ExceptionKind.TOTAL_DIFFERENCE],
            [f"invoice:{link.algapsa_id}" for link in accepted],
            "The company's setting accepts the difference.",
        )
        effects = [
            audit.Effect(
                "ledger",
                "accept total difference",
                f"invoice:{link.algapsa_id}",
                after=link.difference_minor,
            )
            for link in accepted
        ]
        audit.append(connection, ctx.realm, effects)
    return len(accepted)
