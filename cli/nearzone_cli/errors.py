"""The errors of the tool, and the exit codes.

CliError
    UsageError    the command line or the context file is wrong; nothing was sent (64)
    AppError      one app did not carry out a request
        Refused       the app or its host refused it: another attempt changes nothing (1)
        Failed        the app answered that it could not do it now: another attempt may succeed (1)
        Unreached     the app did not answer: another attempt may succeed (3)
            Interrupted   the user did not wait for its answer (130)
"""

from __future__ import annotations

OK, FAILED, CHANGES, UNREACHED, USAGE, INTERRUPTED = 0, 1, 2, 3, 64, 130
"""Exit codes. 64 is EX_USAGE of BSD's sysexits; 130 is a shell's code of a process that Ctrl-C has ended."""


class CliError(Exception):
    """The base of all errors that the tool shows without a stack trace."""


class UsageError(CliError):
    """The command line or the context file is wrong. Nothing was sent."""


class AppError(CliError):
    """One app did not carry out a request. `status`: the HTTP status, None without an answer."""

    outcome = "failed"
    code = FAILED
    retry = False

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Refused(AppError):
    """The app or its host refused the request: another attempt changes nothing."""

    outcome = "refused"


class Failed(AppError):
    """The app answered that it could not do it now."""

    retry = True


class Unreached(AppError):
    """The app did not answer. It may have got the request all the same."""

    outcome = "not reached"
    code = UNREACHED
    retry = True


class Interrupted(Unreached):
    """The user did not wait for the app's answer."""

    code = INTERRUPTED

    def __init__(self) -> None:
        super().__init__("interrupted before it answered; it may still carry the request out")
