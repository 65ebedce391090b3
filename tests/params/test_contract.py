"""The contract as data: each key is told, what cannot be meant is one sentence, the defaults are what was before."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from runbook_lib.base.errors import UsageError
from runbook_lib.params.contract import Answers, Contract, Question, Result
from runbook_lib.params.explain import docs
from runbook_lib.params.load import load_file
from runbook_lib.params.sentence import _models
from runbook_lib.params.written import strictly
from tests.contracts import REAL_SERVICE

ROOT = Path(__file__).resolve().parents[2]


def models(model: type[BaseModel]) -> set[type[BaseModel]]:
    """The model and all within it."""
    inner = _models(field.annotation for field in model.model_fields.values())
    return {model}.union(*map(models, inner))


def keys(model: type[BaseModel], at: str) -> set[str]:
    """Every key of a section, by its path."""
    found = set()
    for name, field in model.model_fields.items():
        inner = _models([field.annotation])
        found |= keys(inner[0], f"{at}.{name}") if inner and name != "kpi" else {f"{at}.{name}"}
    return found


def refused(tmp_path: Path, contract: dict[str, Any], **more: Any) -> str:
    """What the parameters say of a contract."""
    folder = Path(shutil.copytree(ROOT / "params", tmp_path / "params"))
    service = yaml.safe_load((folder / "service.yaml").read_text())
    (folder / "service.yaml").write_text(yaml.safe_dump({**service, "contract": contract, **more}))
    with pytest.raises(UsageError) as caught:
        load_file(folder / "dev.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_field_says_what_it_is() -> None:
    silent = [
        f"{model.__name__}.{name}"
        for model in models(Contract)
        for name, f in model.model_fields.items()
        if not (f.description or docs(model).get(name))
    ]
    assert not silent


@pytest.mark.parametrize(
    ("contract", "said"),
    [
        ({"secrets": {"api_key": "s3cr3t-itself"}}, "secrets.api_key is not a reference; expects env:VARIABLE"),
        ({"secrets": {"api_key": "env:OURS"}}, "secrets.api_key is not used by any header; write {api_key}"),
        ({"secrets": {"uuid": "env:OURS"}}, "'uuid' cannot be the name of a secret"),
        ({"secrets": {"ApiKey": "env:OURS"}}, "'ApiKey' cannot be the name of a secret"),
        ({"submit": {"headers": {"X-Api-Key": "{api_key}"}}}, "{api_key}' is not a placeholder that is known here"),
        ({"submit": {"valid": {"a": "{api_key}{probe}"}}}, "{api_key}' is not a placeholder that is known here"),
    ],
)
def test_secrets_are_named_and_used_in_headers_alone(tmp_path: Path, contract: dict[str, Any], said: str) -> None:
    told = refused(tmp_path, contract)
    assert said in told and "s3cr3t-itself" not in told


def test_the_delivered_file_tells_the_defaults_key_by_key() -> None:
    service = yaml.safe_load((ROOT / "params" / "service.yaml").read_text())
    assert strictly(Contract, {**service["contract"], "kpi": {}}) == Contract()
    told = (ROOT / "docs" / "adopting.md").read_text()
    missing = [key for key in keys(Contract, "contract") if f"`{key}`" not in told and key.count(".") < 3]
    assert not missing


def test_a_folder_from_before_loads_as_ever(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "params", tmp_path / "params"))
    service = yaml.safe_load((folder / "service.yaml").read_text())
    service.pop("contract", None)
    (folder / "service.yaml").write_text(yaml.safe_dump(service))
    assert load_file(folder / "dev.yaml").service.contract == Contract()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("contract", "said"),
    [
        ({"submit": {"job_ids": "id"}}, "unknown key 'contract.submit.job_ids'"),
        ({"submit": {"job_id": "data[0]"}}, "'contract.submit.job_id' is 'data[0]': expects a path of names with dots"),
        ({"submit": {"accepted": {"codes": []}}}, "expects 1 or more"),
        ({"submit": {"accepted": {"codes": ["202"]}}}, "expects a whole number"),
        ({"submit": {"valid": {"id": "{env}"}}}, "submit.valid: id: '{env}' is not a placeholder that is known here"),
        ({"probe": {"headers": {}}, "submit": {"valid": {"a": "b"}}}, "nothing carries a probe's mark"),
        ({"status": {"completed": None}}, "completed is empty, and nothing else says that a job is done"),
        ({"status": {"running": {"codes": [200]}}}, "one answer could mean completed and running (200)"),
        ({"status": {"told_by": "table"}}, "nobody gets that answer; say 'fetched: bucket' or 'fetched: route'"),
        ({"result": {"fetched": "route"}}, "`path` has no {job_id}"),
        ({"result": {"json_schema": {"type": "objekt"}}}, "json_schema is not a JSON Schema"),
        ({"result": {"example": {"job_id": "x"}}}, "example: it has nothing at 'report'"),
        ({"table": {"failed": ["COMPLETED"]}}, "status word 'COMPLETED' is in two lists"),
        ({"table": {"error": "status"}}, "attribute 'status' is named for two things"),
        ({"probe": {"arrives_in": "created_at", "prefix": "20"}}, "probe.arrives_in is 'created_at', which is table.c"),
        ({"probe": {"arrives_in": "status", "prefix": "PEND"}}, "probe.arrives_in is 'status', which is table.status"),
        ({"probe": {"headers": {}}, "submit": {"valid": {"a": "{{probe}}"}}}, "nothing carries a probe's mark"),
        ({"probe": {"headers": {}}, "submit": {"duplicate": {"origin": "web"}}}, "submit.duplicate carries no probe's"),
        ({"submit": {"refused": {"codes": [202]}}}, "one answer could mean accepted and refused (202)"),
        ({"submit": {"refused": {"codes": [200]}}}, "one answer could mean repeated and refused (200)"),
        ({"submit": {"accepted": {"codes": [202], "where": {"p": []}}}}, "expects 1 or more of them"),
        ({"submit": {"accepted": {"codes": [202], "where": {"p": [1.5]}}}}, "where.p.0' is 1.5: expects text or a"),
        ({"result": {"json_schema": {"$ref": "#/d/x"}}}, "'$ref: #/d/x' leads nowhere in the schema"),
        ({"message": {"job_id": "id"}}, "message.body does not have {job_id} at 'id'"),
        ({"kpi": {"jobs_creatde": {}}}, "the catalogue has no 'jobs_creatde'; did you mean 'jobs_created'?"),
        ({"kpi": {"jobs_created": {"dimensions": {"a": "{evn}"}}}}, "did you mean '{env}'?"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(tmp_path: Path, contract: dict[str, Any], said: str) -> None:
    assert said in refused(tmp_path, contract)


def test_a_fault_of_the_contract_names_its_own_line(tmp_path: Path) -> None:
    said = refused(tmp_path, {"submit": {"method": "PUT", "valid": {"a": "{env}"}}})
    lines = (tmp_path / "params" / "service.yaml").read_text().splitlines()
    assert f"line {lines.index('    valid:') + 1}:" in said


def test_a_probes_job_may_be_answered_as_its_repetition() -> None:
    assert Contract.model_validate({"submit": {"repeated": {"codes": [202]}}}).submit.repeated


def test_an_id_may_be_a_number_and_a_result_a_list() -> None:
    assert Result(required=()).fault({"job_id": 7}, "7") == ""
    listed = {"required": (), "job_id": "", "json_schema": {"type": "array"}}
    assert Result(**listed).fault([1]) == ""
    assert "is not of type 'array'" in Result(**listed).fault({})
    assert "not a JSON object" in Result(required=(), job_id="").fault([1])


def test_the_real_services_contract_can_be_told() -> None:
    contract = Contract.model_validate(REAL_SERVICE)
    assert contract.status.state(200, {"status": "PENDING"}) == "running"
    assert contract.result.fault({"summary": "x"}, "any") == ""


@pytest.mark.parametrize(
    ("code", "body", "state"),
    [
        (202, {}, "running"),
        (200, {"status": "COMPLETED"}, "completed"),
        (200, {"status": "FAILED"}, "failed"),
        (404, {}, "unknown"),
        (410, {}, "unknown"),
        (200, {"status": "PENDING"}, None),
        (200, {}, None),
        (500, {}, None),
        (200, ["COMPLETED"], None),
    ],
)
def test_what_an_answer_says_of_a_job(code: int, body: object, state: str | None) -> None:
    assert Question().state(code, body) == state


def test_true_is_not_one() -> None:
    assert not Answers(codes=(200,), where={"n": (1,)}).fit(200, {"n": True})
    assert Answers(codes=(200,), where={"n": (1, True)}).fit(200, {"n": True})


def test_the_answers_are_told_in_words() -> None:
    told = Question().told()
    assert "200 with status COMPLETED means completed" in told
    assert "404 or 410 means unknown" in told


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"job_id": "j", "report": "x"}, ""),
        ([], "not a JSON object"),
        ({"job_id": "j", "report": ""}, "nothing at 'report'"),
        ({"job_id": "k", "report": "x"}, "does not name this job"),
        ({"job_id": "j", "report": "x", "n": 1}, "$.n: 1 is not of type 'string'"),
    ],
)
def test_what_is_wrong_with_a_document(document: object, fault: str) -> None:
    found = Result(json_schema={"properties": {"n": {"type": "string"}}}).fault(document, "j")
    assert re.search(re.escape(fault), found) if fault else not found
