"""Which data a run may be shown: those with the columns of its training, as far as names tell."""

from dataclasses import replace

import pytest

from labelchain.baselines.prediction_columns import Columns
from labelchain.envs import DatasetError

TEXT = {"zero_based": False}
"""What data of LIBSVM's text have."""


def named(data, labels="abcde", features="uvwxyz", **rest):
    return replace(data, label_names=tuple(labels), feature_names=features and tuple(features), **rest)


@pytest.mark.parametrize(
    ("trained", "shown"),
    [
        ({}, {}),
        ({"labels": "01234"}, {}),
        ({}, {"labels": "01234"}),
        ({"labels": "12345"} | TEXT, {"labels": "01234"}),
        ({"labels": "12345"} | TEXT, {}),
        ({}, {"labels": "12345"} | TEXT),
        ({"labels": "12457"} | TEXT, {"labels": "12457"} | TEXT),
        ({"features": None}, {}),
        ({}, {"features": "012345"}),
        ({}, {"labels": "abcd"}),  # whether there are as many is for the model to say
    ],
)
def test_names_that_agree_or_tell_nothing_are_let_through(make_dataset, trained, shown):
    data = make_dataset()
    Columns.of(named(data, **trained)).check_names(named(data, **shown))


@pytest.mark.parametrize(
    ("trained", "shown", "message"),
    [
        ({}, {"labels": "abced"}, r"labels of .*: it has 'e' instead of 'd', 'd' instead of 'e'; give"),
        ({}, {"labels": "abcdf"}, r"labels of .*: it has 'f' instead of 'e'; give"),
        ({"labels": "01234"}, {"labels": "43210"}, r"has '4' .* instead of '1', .* '3', \.\.\. \(4 in all\)"),
        ({"labels": "12345"} | TEXT, {"labels": "12457"} | TEXT, r"has '4' instead of '3', '5' instead"),
        ({"labels": "01234"} | TEXT, {"labels": "01235"} | TEXT, "it has '5' instead of '4'"),
        ({}, {"features": "vuwxyZ"}, "features of .*: it has 'v' instead of 'u', .* 'Z' instead of 'z'"),
    ],
)
def test_other_names_are_refused(make_dataset, trained, shown, message):
    data = make_dataset()
    with pytest.raises(DatasetError, match=message):
        Columns.of(named(data, **trained)).check_names(named(data, **shown))
