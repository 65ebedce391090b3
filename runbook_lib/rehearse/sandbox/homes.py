"""The home of the weight in the sandbox's template: AppConfig's flags, or a parameter of Parameter Store at 0 %.

An alias's versions and a canary's deployment are made while a rollout is under way, so no template has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook_lib.act.traffic import flags
from runbook_lib.base.errors import UsageError
from runbook_lib.base.template import filled
from runbook_lib.observe.traffic.weight import ZERO
from runbook_lib.params.alarms import alarm_name
from runbook_lib.params.load import Params
from runbook_lib.params.traffic import AppConfigHome, SsmHome

COMPOSITE = "GuardComposite"
"""Logical id of the composite alarm over the guards, which the embedded CloudFormation does not know."""
_FLAGGED = ("application", "dial_environment", "switch_environment", "immediate_strategy", "soak_strategy")
_MONITOR = "MonitorRole"
"""Role by which AppConfig reads its monitors."""


def defaults(params: Params) -> dict[str, str]:
    """Value of each of the home's template parameters.

    Raises:
        UsageError: the rehearsal has no such home.
    """
    home = params.service.traffic
    if isinstance(home, SsmHome):
        return {}
    if not isinstance(home, AppConfigHome):
        raise UsageError(
            f"service.yaml: traffic.kind is '{home.kind}'; a rehearsal plays a rollout by appconfig or ssm "
            "(docs/homes.md)",
            nothing_changed=True,
        )
    named = {
        f"{''.join(part.capitalize() for part in name.split('_'))}Name": filled(
            getattr(home, name), {"env": params.env}
        )
        for name in _FLAGGED
    }
    return {**named, "DialProfileName": home.dial_profile, "SwitchProfileName": home.switch_profile}


def put(params: Params, template: dict[str, Any], alarms: Mapping[str, str]) -> None:
    """Fills in the flags and the guards as their monitors, or puts the parameter in their place.

    Args:
        alarms: logical id of each guard's alarm, by its id in gates.yaml.
    """
    home, resources = params.service.traffic, template["Resources"]
    if isinstance(home, AppConfigHome):
        _flags(home.flag, resources)
        resources["DialEnvironment"]["Properties"]["Monitors"] = [
            {"AlarmArn": {"Fn::GetAtt": [id, "Arn"]}, "AlarmRoleArn": {"Fn::GetAtt": [_MONITOR, "Arn"]}}
            for id in alarms.values()
        ]
        return
    for id in [id for id, one in resources.items() if one["Type"].startswith("AWS::AppConfig::") or id == _MONITOR]:
        del resources[id]
    del template["Outputs"]["ApplicationId"]
    if isinstance(home, SsmHome):
        weight = {"Name": filled(home.parameter, {"env": params.env}), "Type": "String", "Value": ZERO}
        resources["Weight"] = {"Type": "AWS::SSM::Parameter", "Properties": weight}
        if home.guard_alarm:
            names = [alarm_name(one, params) for one in params.policy.alarms if one.guard]
            properties = {
                "AlarmName": filled(home.guard_alarm, {"env": params.env}),
                "AlarmRule": " OR ".join(f'ALARM("{name}")' for name in names),
                "ActionsEnabled": True,
                "AlarmActions": [{"Ref": "Topic"}],
            }
            resources[COMPOSITE] = {
                "Type": "AWS::CloudWatch::CompositeAlarm",
                "DependsOn": list(alarms.values()),
                "Properties": properties,
            }


def _flags(flag: str, resources: dict[str, Any]) -> None:
    documents = {
        "DialZero": flags.dial_document(flag, 0),
        "SwitchOff": flags.switch_document(flag, False),
        "SwitchOn": flags.switch_document(flag, True),
    }
    for id, document in documents.items():
        resources[id]["Properties"] |= {"ContentType": flags.CONTENT_TYPE, "Content": flags.encode(document).decode()}
