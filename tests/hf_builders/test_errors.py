"""Errors are of one family and survive the way out of a worker process."""

from __future__ import annotations

import pickle

import pytest

from hf_builders import ConfigError, HfBuildersError, OptionError, RowError, SourceError


@pytest.mark.parametrize(
    "error",
    [
        OptionError("no dataset 'adgn'"),
        ConfigError("a.yaml: no"),
        SourceError("a.csv: empty"),
        RowError("a.csv:2", "null_value", "'ask' is null"),
    ],
)
def test_an_error_is_the_same_behind_a_pickle(error: HfBuildersError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, HfBuildersError)
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_wrong_options_and_configs_are_value_errors_too() -> None:
    assert issubclass(OptionError, ValueError)
    assert issubclass(ConfigError, ValueError)
    assert not issubclass(RowError, ValueError)
