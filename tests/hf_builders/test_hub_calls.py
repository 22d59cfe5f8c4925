"""A call of the Hub is made again where what went wrong may pass; what is told of it is one line without a secret."""

from __future__ import annotations

import errno
import json

import pytest

from hf_builders.errors import HubError, OptionError
from hf_builders.hub import HubRepository
from hf_builders.hub_calls import HubCalls

NAME = "somebody/rows"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr("hf_builders.hub_calls.sleep", seconds.append)
    return seconds


def told_of(error: Exception, *secrets: str) -> str:
    def call() -> None:
        raise error

    with pytest.raises(HubError) as told:
        HubCalls(NAME, secrets).ask(call)
    assert told.value.__suppress_context__
    return str(told.value)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            json.JSONDecodeError("Expecting value", "<html>", 0),
            "JSONDecodeError: Expecting value: line 1 column 1 (char 0); "
            "are HF_ENDPOINT and the proxy (HTTPS_PROXY, ALL_PROXY) right?",
        ),
        (KeyError("sha"), "KeyError: 'sha'; are HF_ENDPOINT and the proxy (HTTPS_PROXY, ALL_PROXY) right?"),
        (
            ImportError("Using SOCKS proxy, but the 'socksio' package is not installed."),
            "ImportError: Using SOCKS proxy, but the 'socksio' package is not installed.; "
            "are HF_ENDPOINT and the proxy (HTTPS_PROXY, ALL_PROXY) right?",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "[Errno 28] No space left on device; make room on the disk here",
        ),
    ],
)
def test_what_does_not_pass_is_told_at_once(error: Exception, told: str, waits: list[float]) -> None:
    assert told_of(error) == f"{NAME}: {told}"
    assert waits == []


@pytest.mark.parametrize("error", [RuntimeError("CAS service error"), ConnectionResetError("reset by peer")])
def test_what_may_pass_is_tried_six_times(error: Exception, waits: list[float]) -> None:
    assert told_of(error).endswith("; try again later: what is uploaded is not sent twice")
    assert waits == [1, 2, 4, 8, 16]


def test_an_error_of_ours_goes_through_as_it_is(waits: list[float]) -> None:
    def call() -> None:
        raise OptionError("as it is")

    with pytest.raises(OptionError, match=r"^as it is$"):
        HubCalls(NAME, []).ask(call)
    assert waits == []


def test_tokens_logins_and_signatures_are_not_shown() -> None:
    error = ValueError("Bearer hf_abc at https://me:pass@hub.example/lfs/1?size=2&signature=f00 failed")
    assert told_of(error, "hf_abc").startswith(
        f"{NAME}: ValueError: Bearer [token] at https://hub.example/lfs/1 failed; "
    )


@pytest.mark.parametrize("token", ["hf_secret\n x", "hf_secret\n", "hf_秘密", "hf_secret…"])
def test_a_token_that_cannot_be_one_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(OptionError) as error:
        HubRepository(NAME, token=token)
    assert str(error.value) == ("token: has characters that no token has; copy it again (`hf auth login`, or HF_TOKEN)")


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [("hub.example", "hub.example"), ("ftp://me:pass@hub.example", "hub.example"), ("https://", "https://")],
)
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    with pytest.raises(OptionError) as error:
        HubRepository(NAME)
    assert str(error.value) == (f"HF_ENDPOINT: {shown!r} is no address of a Hub; expected https://…, or leave it unset")


@pytest.mark.parametrize("revision", ["", " "])
def test_an_empty_branch_is_refused(revision: str) -> None:
    with pytest.raises(OptionError, match="is no name of a branch; leave it out for main"):
        HubRepository(NAME, revision=revision)
