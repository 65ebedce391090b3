"""Every knob of a world is explained on the page."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from runbook_lib.rehearse.world.behaviour import Behaviour
from tests.benchmarks.knob_page import MODELS, WORDS, section, words


@pytest.mark.slow
@pytest.mark.parametrize(("model", "name"), [(model, name) for model in MODELS for name in model.model_fields], ids=str)
def test_every_field_is_explained(model: type[BaseModel], name: str) -> None:
    assert words(model)[name].endswith("."), f"{model.__name__}.{name}"
    assert f"| `{name}` |" in section()


def test_no_words_are_kept_for_a_field_that_is_gone() -> None:
    assert set(WORDS) <= {f"{model.__name__}.{name}" for model in MODELS for name in model.model_fields}


def test_a_field_without_words_is_found() -> None:
    class Odd(BaseModel):
        silent: float = 0.0
        told: float = 0.0
        """It speaks."""

    assert words(Odd) == {"silent": "", "told": "It speaks."}


def test_the_words_are_those_under_the_field() -> None:
    assert words(Behaviour)["gateway_403"] == "Share of them that the WAF forbids (403)."
