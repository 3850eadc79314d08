"""Settling an exception: one job for every action, since its page fills the form in."""

# Dagster reads the type of `context` itself, so annotations here are not put off.

from enum import Enum

import dagster as dg
from pydantic import Field

from qbo_sync_dagster.actions.errors import ActionRefusedError, LinkFileError
from qbo_sync_dagster.algapsa.errors import AlgaPsaError
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.cures import CURES
from qbo_sync_dagster.resources import SyncEngineResource


class Offered(Enum):
    """What a form may ask for, by the names that the Launchpad offers.

    A reconnect is not among them: it needs a browser, and a token typed here would be stored.
    """

    retry = "retry"
    accept = "accept"
    re_export = "re-export"
    re_date = "re-date"
    void = "void"
    adopt = "adopt"
    send_again = "send again"
    match = "match"
    both_are_real = "both are real"
    not_from_algapsa = "not from AlgaPSA"
    record_refund = "record refund"
    export = "export"
    apply = "apply"
    push = "push"
    link_client = "link client"
    link_invoice = "link invoice"
    dismiss = "dismiss"


_EFFECTS = " ".join(f"{each.name}: {CURES[Action(each.value)].effect}" for each in Offered)
_TARGETS = " ".join(
    f"{each.name}: {told}." for each in Offered if (told := CURES[Action(each.value)].target)
)


class ResolveException(dg.Config):
    """Which exception, and what to do about it."""

    exception: int = Field(
        description="The exception's number, as the page of sync_exceptions shows it."
    )
    action: Offered = Field(
        description=f"What to do. The exception's page names those that settle it. {_EFFECTS}"
    )
    reason: str = Field(
        default="",
        description="Why, in a few words; kept with the exception. Accept and dismiss need it.",
        max_length=500,
    )
    target: str = Field(
        default="",
        description=f"The other record, where the action needs one. {_TARGETS}",
        max_length=200,
    )


@dg.op(name="resolve")
def resolve_exception_op(
    context: dg.OpExecutionContext, config: ResolveException, sync_engine: SyncEngineResource
) -> None:
    """Carry out the action in the ledger; the cycle it asks for follows within seconds."""
    from qbo_sync_dagster.actions.cases import Choice  # noqa: PLC0415 - heavy
    from qbo_sync_dagster.actions.resolving import Resolution, resolve  # noqa: PLC0415 - heavy

    choice = Choice(config.exception, by(context), config.reason)
    wanted = Resolution(Action(config.action.value), choice, config.target.strip())
    with sync_engine.engine() as engine:
        try:
            told = resolve(engine, wanted)
        except LinkFileError as error:
            raise _refused(" ".join([str(error), *error.problems])) from error
        except (ActionRefusedError, AlgaPsaError) as error:
            raise _refused(str(error)) from error
    context.log.info(told)


def by(context: dg.OpExecutionContext) -> str:
    """Who launched the run: its `user` tag, where a proxy or a person set one."""
    tags = context.run.tags
    return tags.get("user") or tags.get("dagster/user") or "Dagster"


def _refused(sentence: str) -> dg.Failure:
    return dg.Failure(sentence, allow_retries=False)


# Shown in the Launchpad, so that there are lines to fill in instead of an empty page.
_TO_FILL_IN = {"ops": {"resolve": {"config": {"exception": 0, "action": "retry", "reason": ""}}}}


@dg.job(
    config=_TO_FILL_IN,
    description="Settle an exception of sync_exceptions by its number: retry, accept, re-export, "
    "link, match, dismiss and so on. The exception's page shows the lines to paste here.",
)
def resolve_exception() -> None:
    """One step: carry out the action."""
    resolve_exception_op()
