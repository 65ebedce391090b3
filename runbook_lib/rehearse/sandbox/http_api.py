"""The sandbox's HTTP API in place of its REST API: routes, integrations and permissions as in CDK's
`HttpLambdaIntegration`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runbook_lib.params.load import Params

Routes = Iterable[tuple[str, str, str, str]]
"""Logical id, HTTP method, path, and logical id of the Lambda behind it."""


def put(params: Params, resources: dict[str, Any], log_format: str) -> None:
    """Replaces the template's REST API by an HTTP API and its stage, which deploys by itself."""
    tags = {one["Key"]: one["Value"] for one in resources["Api"]["Properties"]["Tags"]}
    # The embedded AWS takes an id from this tag, as AWS assigns one; without it the id is random.
    pinned = {"ms-custom-id": params.name("api_id")} if params.named("api_id") else {}
    resources["Api"] = {
        "Type": "AWS::ApiGatewayV2::Api",
        "Properties": {"Name": {"Ref": "ApiName"}, "ProtocolType": "HTTP", "Tags": tags | pinned},
    }
    resources["ApiStage"] = {
        "Type": "AWS::ApiGatewayV2::Stage",
        "Properties": {
            "ApiId": {"Ref": "Api"},
            "StageName": {"Ref": "StageName"},
            "AutoDeploy": True,
            "DefaultRouteSettings": {"DetailedMetricsEnabled": True},
            "AccessLogSettings": {"DestinationArn": {"Fn::GetAtt": ["ApiLogs", "Arn"]}, "Format": log_format},
            "Tags": tags,
        },
    }


def routes(wanted: Routes) -> dict[str, Any]:
    """A route, an integration and a permission for each."""
    made: dict[str, Any] = {}
    for id, method, path, function in wanted:
        made[f"{id}Integration"] = {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Fn::GetAtt": [function, "Arn"]},
                "PayloadFormatVersion": "2.0",
            },
        }
        made[f"{id}Route"] = {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "RouteKey": f"{method} {path}",
                "Target": {"Fn::Sub": f"integrations/${{{id}Integration}}"},
            },
        }
        made[f"{id}Permission"] = permission(f"*{path}", function)
    return made


def permission(route: str, function: str) -> dict[str, Any]:
    """Permission to call the Lambda: for the route, behind the API's id, in every stage."""
    source = f"arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{Api}}/*/{route}"
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": function},
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": {"Fn::Sub": source},
        },
    }
