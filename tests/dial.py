"""Somebody sets the dial in AppConfig, past the runbook: in the console, or as AppConfig's own rollback leaves it."""

from __future__ import annotations

from typing import Any

from runbook_lib.act.traffic import flags
from runbook_lib.observe.traffic.flag_ids import handles


def set_dial(appconfig: Any, params: Any, percent: float, strategy: str = "") -> None:
    """Deploys a new version of the dial; `strategy`: the id of one that is not the immediate one."""
    ids = handles(appconfig, params)
    version = appconfig.create_hosted_configuration_version(
        ApplicationId=ids.application,
        ConfigurationProfileId=ids.dial_profile,
        Content=flags.encode(flags.dial_document(params.service.traffic.flag, percent)),
        ContentType=flags.CONTENT_TYPE,
    )["VersionNumber"]
    appconfig.start_deployment(
        ApplicationId=ids.application,
        EnvironmentId=ids.dial_environment,
        ConfigurationProfileId=ids.dial_profile,
        ConfigurationVersion=str(version),
        DeploymentStrategyId=strategy or ids.immediate_strategy,
    )
