"""The sandbox of a service with two workers: each has its own of everything, in a template that CreateStack takes."""

from __future__ import annotations

import json

import pytest

from runbook_lib.params.load import load_file, params_dir
from runbook_lib.rehearse.sandbox.deploy import embedded_template
from runbook_lib.rehearse.sandbox.several import OF_A_WORKER
from runbook_lib.rehearse.sandbox.template import STEPS, build
from tests.rehearse.sandbox.test_template import TEMPLATE_LIMIT

EXAMPLE = params_dir().parent / "examples" / "orders-export" / "params" / "dev.yaml"


@pytest.mark.parametrize("step", STEPS)
def test_a_template_for_two_workers_is_no_longer_than_may_be(step: str) -> None:
    assert len(json.dumps(embedded_template(load_file(EXAMPLE), step), separators=(",", ":"))) < TEMPLATE_LIMIT


def test_the_second_worker_shares_nothing_of_its_own_with_the_first() -> None:
    template = build(load_file(EXAMPLE))
    resources, parameters = template["Resources"], template["Parameters"]
    text = json.dumps({id: one for id, one in resources.items() if id[:-1] in OF_A_WORKER and id.endswith("2")})
    for id in OF_A_WORKER:
        assert f'"{id}"' not in text, id
    assert parameters["QueueName2"]["Default"] == "dev-orders-export-deliver-queue"
    assert resources["WorkerSource2"]["Properties"]["FunctionName"] == {"Ref": "Worker2"}
    assert resources["WorkerLogs2"]["Properties"]["LogGroupName"] == {"Fn::Sub": "/aws/lambda/${WorkerName2}"}
    urls = resources["Submit"]["Properties"]["Environment"]["Variables"]["QUEUE_URL"]
    assert urls == {"Fn::Join": [" ", [{"Ref": "Queue"}, {"Ref": "Queue2"}]]}
