"""A home of the weight that is not there: new resources that are deployed later, or an alias that somebody removed."""

from __future__ import annotations

from typing import Any, cast

import pytest

from runbook_lib.observe.traffic.weight import NotDeployed, read_or_nothing
from tests.elsewhere import HOMES, Place


@pytest.mark.parametrize("kind", sorted(HOMES))
def test_what_a_deployment_makes_may_be_missing_and_an_alias_may_not(kind: str) -> None:
    """06 of a release proposed to deploy the new resources where somebody had deleted the alias."""
    place = Place(kind)
    place.aws.alias, place.aws.stage = {}, {}
    if kind == "lambda-alias":
        with pytest.raises(NotDeployed, match=r"there is no alias .*; create it at version 6"):
            read_or_nothing(cast("Any", place.aws), place.params)
    else:
        state, deployed = read_or_nothing(cast("Any", place.aws), place.params)
        assert (state.weight, deployed) == (0, False)
