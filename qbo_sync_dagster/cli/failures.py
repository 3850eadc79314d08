"""Turns what can go wrong into a sentence with its cure; nobody sees a traceback."""

from __future__ import annotations

import errno

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError
from typer.core import TyperGroup

from qbo_sync_dagster.actions.errors import ActionRefusedError, LinkFileError
from qbo_sync_dagster.algapsa.errors import AlgaPsaError
from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.output import complain
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.ledger.errors import LedgerError
from qbo_sync_dagster.quickbooks.errors import QuickBooksError
from qbo_sync_dagster.quickbooks.redact import scrub
from qbo_sync_dagster.settings import SettingError

# Their messages are written for people.
_SPOKEN = (
    ActionRefusedError,
    AlgaPsaError,
    CommandError,
    DomainError,
    LedgerError,
    QuickBooksError,
    SettingError,
)
_PROBLEMS_SHOWN = 50


class SentenceGroup(TyperGroup):
    """A group of commands whose errors end in a sentence and exit code 1."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, KeyboardInterrupt, EOFError):
            raise
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            complain(f"{error.strerror or error}: {error.filename or 'the system refused'}.")
        except Exception as error:
            if _is_usage(error):
                raise
            for sentence in sentences(error):
                complain(sentence)
        raise typer.Exit(1)


class ListingGroup(SentenceGroup):
    """A group that lists when no command of it is named: `qbo-sync exceptions REALM`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Take a first word that is no command for what `list` is asked about."""
        words = [each for each in args if not each.startswith("-")]
        if words and words[0] not in self.commands:
            args = ["list", *args]
        return super().parse_args(ctx, args)


def command_group(name: str, purpose: str, cls: type[SentenceGroup] = SentenceGroup) -> typer.Typer:
    """A named group of commands that end like that."""
    return typer.Typer(
        name=name,
        help=purpose,
        cls=cls,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )


def sentences(error: Exception) -> list[str]:
    """What happened and what to do, scrubbed of anything secret."""
    return [scrub(sentence) for sentence in _told(error)]


def _told(error: Exception) -> list[str]:
    if isinstance(error, LinkFileError):
        more = len(error.problems) - _PROBLEMS_SHOWN
        rest = [f"... and {more} more."] if more > 0 else []
        return [str(error), *error.problems[:_PROBLEMS_SHOWN], *rest]
    if isinstance(error, _SPOKEN):
        return [str(error)]
    if isinstance(error, ValidationError):
        return [_bad_setting(detail) for detail in error.errors(include_input=False)]
    if isinstance(error, SQLAlchemyError):
        return [_database(error)]
    return [
        f"Unexpected {type(error).__name__}: {error}. This is a fault of the program; nothing "
        "more was done. Run the command again, and report this line if it comes back."
    ]


def _bad_setting(detail: ErrorDetails) -> str:
    name = ".".join(str(part) for part in detail["loc"])
    return f"The setting {name} can't be used: {detail['msg']}."


def _database(error: SQLAlchemyError) -> str:
    reason = str(getattr(error, "orig", None) or error).strip().split("\n")[0][:200]
    if isinstance(error, OperationalError):
        return (
            f"The ledger's database cannot be reached ({reason}). Check that it runs and that "
            "QBO_SYNC_DATABASE_URL names it."
        )
    if isinstance(error, ProgrammingError):
        return f"The ledger's tables are not as expected ({reason}). Run `qbo-sync migrate`."
    if isinstance(error, IntegrityError):
        return f"Somebody changed the same at this moment ({reason}). Run this again."
    return f"The ledger's database refused ({reason}). Run `qbo-sync doctor`."


def _is_usage(error: Exception) -> bool:
    """Whether typer itself explains it (a missing argument, an unknown option)."""
    return hasattr(error, "exit_code") and hasattr(error, "format_message")
