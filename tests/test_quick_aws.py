"""botocore's parser as the tests have it gives what botocore's own gives, also to threads that ask at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore import parsers
from botocore.loaders import Loader
from botocore.model import ServiceModel

from tests import quick_aws

DEEP: dict[str, Any] = {"L": [{"M": {"a": {"S": "x"}, "b": {"L": [{"N": "1"}, {"NULL": True}]}}}, {"BOOL": False}]}
ANSWER = {"Item": {"id": {"S": "1"}, "deep": DEEP}, "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.5}}


@pytest.fixture
def impatient() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("impatient")
def test_threads_that_learn_a_shape_at_once_all_read_it() -> None:
    """A shape that is in itself was met by another thread while it was learnt, and looked for its reader for ever."""
    model, parser = ServiceModel(Loader().load_service_model("dynamodb", "service-2")), parsers.JSONParser()
    shape = model.operation_model("GetItem").output_shape
    for _ in range(30):
        quick_aws._SHAPES.pop(id(shape._shape_resolver._shape_map), None)
        together = threading.Barrier(4)

        def asked(_: int, together: threading.Barrier = together) -> Any:
            together.wait()
            return quick_aws._parse_shape(parser, shape, ANSWER)

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(asked, range(4))) == [ANSWER] * 4
