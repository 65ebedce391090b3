"""What stands behind a secret's name within one word: most of it changes nothing, some makes it a fact."""

from __future__ import annotations

import pytest

from runbook_lib.base.masking.names import telling
from runbook_lib.base.masking.vocabulary import is_fact
from runbook_lib.base.redact import MASK, redact_text
from runbook_lib.base.redact_data import redact

X = "zebra" + "stripe"
TOLD = """DB_PASSWORD_PROD PASSWORD_PRODUCTION PASSWORD_EU_CENTRAL_1 API_TOKEN_PROD CLIENT_SECRET_EU STRIPE_API_KEY_LIVE
    API_KEY_2_LIVE passwordConfirmation passwordText password_value passwordString private_key_pem ENCRYPTION_KEY_BASE64
    password_hash DBPASS PGPASS adminpwd storepass DB_PW db_pw userpw dbPw ldap_bind_pw DB_PW_PROD datadog_app_key
    FCM_SERVER_KEY ALGOLIA_ADMIN_KEY shared_key wpa_psk access_key accessKey GITHUB_PAT MY_GITHUB_PAT creds
    credentials_json SharedAccessSignature unseal_keys_b64"""
FACTS = """SECRET_ID SECRET_ARN secretName PASSWORD_FILE TOKEN_PATH tokenExpiry passwordAge PASSWORD_POLICY token_count
    tokenUsage secretVersionId apiKeyId api_key_hash tokenUrl bypass compass next_token access_key_age TOKENS_PER_RUN_ID
    secret_manager_region"""
WAYS = ("{}={}", "export {}='{}'", '{{"{}": "{}"}}', "a: 1\n{}: {}\nb: 2")


@pytest.mark.parametrize("way", WAYS)
def test_a_name_tells_whatever_environment_region_or_form_stands_behind_it(way: str) -> None:
    for name in TOLD.split():
        for value in (f"{X}7", f"/{X}7/{X}+=="):
            assert redact_text(way.format(name, value)) == way.format(name, MASK)


def test_it_tells_in_a_mapping_too() -> None:
    for name in TOLD.split():
        assert (name, telling(name), redact({name: X})) == (name, True, {name: MASK})


@pytest.mark.parametrize("way", WAYS)
def test_a_last_part_that_makes_the_name_a_fact_tells_nothing(way: str) -> None:
    drawn = "zx9mqw27" + "lkpt3r"  # with capitals it would be masked by its looks
    for name in FACTS.split():
        assert redact({name: drawn}) == {name: drawn}
        assert redact_text(way.format(name, drawn)) == way.format(name, drawn)


def test_the_last_part_decides() -> None:
    assert is_fact("_prod_arn") and is_fact("VersionId") and is_fact("_FILE")
    assert not is_fact("_arn_prod") and not is_fact("Valid")
