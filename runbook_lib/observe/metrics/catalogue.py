"""Where CloudWatch keeps a metric of the catalogue (`params/metrics.py`) under these parameters: its address."""

from __future__ import annotations

from typing import Any

from runbook_lib.base.errors import UsageError
from runbook_lib.base.template import filled
from runbook_lib.params.load import Params
from runbook_lib.params.metrics import Metric


class _Fields(dict[str, str]):
    """Fields of a template and the names of `service.yaml`. A missing one raises a UsageError about that file."""

    def __init__(self, params: Params, **fields: str) -> None:
        super().__init__(fields)
        self.params = params

    def __missing__(self, key: str) -> str:
        if self.params.named(key):
            return self.params.name(key)
        hint = " (an HTTP API's metrics go by its id)" if key == "api_id" else ""
        here = f" of {self.params.env}" if key in self.params.service.names else ""
        raise UsageError(f"service.yaml: names has no '{key}'{here}{hint}")


def _fields(params: Params) -> _Fields:
    service = params.service
    return _Fields(
        params,
        env=params.env,
        stage=service.api.stage,
        route_sync=service.api.routes.sync,
        route_submit=service.api.routes.submit,
        route_status=service.api.routes.status,
        **{f"method_{route}": method for route, method in service.methods.items()},
        kpi_namespace=filled(service.kpi_namespace, {"env": params.env}),
        kpi_service=filled(service.kpi_service, {"env": params.env}),
    )


def _is_http(metric: Metric, params: Params) -> bool:
    return params.service.api.kind == "http" and metric.http_dimensions is not None


def address(metric: Metric, params: Params) -> dict[str, Any]:
    """Where CloudWatch keeps the metric: `{"Namespace", "MetricName", "Dimensions"}`, a `Metric` of its API.

    Raises:
        UsageError: a name is missing in `service.yaml`.
    """
    name = metric.http_name if _is_http(metric, params) and metric.http_name else metric.name
    pairs = (_is_http(metric, params) and metric.http_dimensions) or metric.dimensions
    fields = _fields(params)
    return {
        "Namespace": filled(metric.namespace, fields),
        "MetricName": name,
        "Dimensions": [{"Name": name, "Value": filled(template, fields)} for name, template in sorted(pairs.items())],
    }
