"""A call of the Hub in; its answer out, after as many tries as it takes, or why there is none, less any secret."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Callable, Sequence
from time import sleep
from typing import TypeVar

from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from hf_builders.errors import HfBuildersError, HubError

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

NUM_TRIES = 6
_HTTPError = HfHubHTTPError.__bases__[0]
"""What the client's HTTP library raises, also where there was no answer; which library that is differs by version."""
_PASSING = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}  # the last of a proxy before the Hub
_LONGEST_WAIT = 300.0
"""Seconds."""
_FULL = {errno.ENOSPC, errno.EDQUOT}
_LEARN_MORE = re.compile(r"For more information check: \S+ ?")
_TOKEN = "the token (`hf auth login`, or HF_TOKEN)"


class HubCalls:
    """Calls about one repository.

    Args:
        name: of the repository, which errors begin with.
        secrets: what no message may show.
    """

    def __init__(self, name: str, secrets: Sequence[str]) -> None:
        self.is_made = False
        """Whether it was just made: then one that is not there will be, once all machines of the Hub know it."""
        self._name, self._secrets = name, secrets

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """What the call returns; it is made again after a while where what went wrong may pass.

        Raises:
            HubError: it did not pass, whatever the client raised.
        """
        for attempt in range(NUM_TRIES):
            try:
                return call()
            except HfBuildersError:
                raise
            except Exception as error:
                cause = (error.__cause__ or error) if type(error) is RuntimeError else error
                if not self._may_pass(cause) or attempt == NUM_TRIES - 1:
                    # Not the chain, whose addresses may have secrets.
                    raise HubError(f"{self._told(cause)}; {_way_out(cause)}") from None
                self._wait(_wait_of(cause, attempt), self._told(cause))
        raise AssertionError("the last try returns or raises")

    def pause(self, attempt: int, why: str) -> None:
        """Wait before a call is made again: a second longer each time."""
        self._wait(attempt, f"{self._name}: {why}")

    def _wait(self, seconds: float, why: str) -> None:
        logger.warning("%s; trying again in %.0f s", why, seconds)
        sleep(seconds)

    def _may_pass(self, error: BaseException) -> bool:
        if isinstance(error, HfHubHTTPError):
            status = error.response.status_code
            return status in _PASSING or (status == 404 and self.is_made)
        # The client hides a connection that broke behind a file that is not there; Xet has no class for its errors.
        no_answer = (_HTTPError, ConnectionError, LocalEntryNotFoundError)
        is_of_xet = type(error) is RuntimeError
        return is_of_xet or (isinstance(error, no_answer) and not isinstance(error, OfflineModeIsEnabled))

    def _told(self, error: BaseException) -> str:
        fact = _LEARN_MORE.sub("", " ".join(str(error).split())) or type(error).__name__
        for secret in self._secrets:
            fact = fact.replace(secret, "[token]")
        fact = re.sub(r"//[^/@\s]+@", "//", fact)
        fact = re.sub(r"(\w://[^\s?']+)\?[^\s']+", r"\1", fact)  # signatures
        if not isinstance(error, (_HTTPError, OSError)):
            fact = f"{type(error).__name__}: {fact}"
        return f"{self._name}: {fact}"


def _wait_of(error: BaseException, attempt: int) -> float:
    """Seconds: as long as the Hub asks for, or twice as long as before."""
    asked = error.response.headers.get("Retry-After", "") if isinstance(error, HfHubHTTPError) else ""
    return min(float(asked) if asked.isdecimal() else 2.0**attempt, _LONGEST_WAIT)


def _way_out(error: BaseException) -> str:
    if isinstance(error, RevisionNotFoundError):
        return "is there such a branch?"
    if isinstance(error, RepositoryNotFoundError):
        return f"is the name right, and {_TOKEN} one that may see it?"
    if isinstance(error, OfflineModeIsEnabled):
        return "unset HF_HUB_OFFLINE"
    if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
        return f"is {_TOKEN} one that may do this?"
    if isinstance(error, ValueError) and isinstance(error.__cause__, HfHubHTTPError):
        return "the Hub has new rules for a card; ask for a newer hf-builders"
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status in (400, 402, 413, 422):
        return "this does not pass by itself; push again when its cause is gone"
    if status == 404 or not isinstance(error, (_HTTPError, OSError, RuntimeError)):
        return "are HF_ENDPOINT and the proxy (HTTPS_PROXY, ALL_PROXY) right?"
    if isinstance(error, OSError) and error.errno in _FULL:
        return "make room on the disk here"
    return "try again later: what is uploaded is not sent twice"
