"""Errors of actions: what was asked for was refused, and nothing was changed."""


class ActionRefusedError(Exception):
    """The input does not hold; the message says what to change."""


class LinkFileError(ActionRefusedError):
    """A file of links has faults; `problems` names each with its line. Nothing was linked."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        rows = "1 line" if len(problems) == 1 else f"{len(problems)} lines"
        super().__init__(f"Nothing was linked: {rows} of the file cannot be used.")
        self.problems = problems
