"""Errors of commands themselves."""


class CommandError(Exception):
    """The command cannot do what was asked; the message says what to change."""
