"""Errors that reach a person: each says what is wrong, where, and how to mend it."""


class PipelineError(Exception):
    """Something failed that its reader can act on; the command line exits with `exit_code`."""

    exit_code = 1


class InvalidInput(PipelineError):
    """An option, a file or a setting is wrong."""

    exit_code = 2


class Unavailable(PipelineError):
    """A server does not answer: the broker, the registry or the database."""
