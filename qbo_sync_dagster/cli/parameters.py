"""Parameters that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

Company = Annotated[
    str, typer.Argument(metavar="REALM", help="Realm id, or the company key of `connections list`.")
]
AnyCompany = Annotated[
    str | None,
    typer.Argument(metavar="[REALM]", help="Realm id or company key; all companies without it."),
]
