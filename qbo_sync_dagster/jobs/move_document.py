"""Moving one document to another company of its tenant, before anything of it was sent."""

# Dagster reads the type of `context` itself, so annotations here are not put off.

import dagster as dg
from pydantic import Field

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.algapsa.errors import AlgaPsaError
from qbo_sync_dagster.jobs.resolve_exception import by
from qbo_sync_dagster.ledger.errors import LedgerError
from qbo_sync_dagster.resources import SyncEngineResource


class MoveDocument(dg.Config):
    """Which document goes to which company."""

    document: str = Field(
        description="Number of the finalized invoice or credit note in AlgaPSA, or its id.",
        min_length=1,
        max_length=200,
    )
    company: str = Field(
        description="The company it shall go to, as the partitions of sync_health name it, or its "
        "realm id.",
        min_length=1,
        max_length=200,
    )


@dg.op(name="move")
def move_document_op(
    context: dg.OpExecutionContext, config: MoveDocument, sync_engine: SyncEngineResource
) -> None:
    """Change the document's company and ask for a cycle of the new one."""
    from qbo_sync_dagster.actions import moving  # noqa: PLC0415 - heavy

    with sync_engine.engine() as engine:
        try:
            moved = moving.move_document(
                engine, config.document, config.company.strip(), by(context)
            )
        except (ActionRefusedError, AlgaPsaError, LedgerError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
    told = "goes to" if moved.is_new else "belongs already to"
    context.log.info("%s %s %s.", moved.number, told, moved.company.company_name)


_TO_FILL_IN = {
    "ops": {"move": {"config": {"document": "INV-NUMBER", "company": "company-to-send-it-to"}}}
}


@dg.job(
    config=_TO_FILL_IN,
    description="Send one invoice or credit note to another company than the default one. Only "
    "before anything of it was sent or linked: a document belongs to one company.",
)
def move_document() -> None:
    """One step: move."""
    move_document_op()
