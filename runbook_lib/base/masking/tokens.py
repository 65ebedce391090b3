"""The tokens of providers, by how they begin: data for `kinds`. Providers publish these beginnings, so that a
token that got lost is found.
"""

from __future__ import annotations

_WORD = "A-Za-z0-9"
_DASHED = "A-Za-z0-9_-"
TOKENS: tuple[tuple[str, str, int], ...] = (
    *((f"gh{kind}_", _WORD, 20) for kind in "pousr"),
    ("github_pat_", "A-Za-z0-9_", 20),
    *((f"gl{kind}-", _DASHED, 16) for kind in ("pat", "ptt", "dt", "rt", "cbt", "agent", "imt", "oas", "ft", "soat")),
    *((f"{kind}_{mode}_", _WORD, 10) for kind in ("sk", "rk", "pk") for mode in ("live", "test")),
    ("whsec_", "A-Za-z0-9+/=", 16),
    ("AIza", _DASHED, 30),
    ("ya29.", "A-Za-z0-9._-", 20),
    ("GOCSPX-", _DASHED, 20),
    ("npm_", _WORD, 30),
    ("pypi-", _DASHED, 16),
    *((f"xox{kind}-", _DASHED, 8) for kind in "abceoprs"),
    ("xapp-", _DASHED, 16),
    ("SG.", "A-Za-z0-9._-", 40),
    ("hf_", _WORD, 30),
    ("dop_v1_", _WORD, 32),
    ("shpat_", _WORD, 24),
    ("hvs.", _DASHED, 20),
    ("glsa_", "A-Za-z0-9_", 30),
    ("NRAK-", _WORD, 20),
    ("lin_api_", _WORD, 30),
    ("ATATT3", "A-Za-z0-9_=-", 40),
    ("AGE-SECRET-KEY-1", _WORD, 40),
    ("sq0csp-", _DASHED, 22),
    ("EAAA", _DASHED, 60),
    ("dckr_pat_", _DASHED, 20),
    *((f"pscale_{kind}_", _DASHED, 30) for kind in ("pw", "tkn", "oauth")),
    *((f"do{kind}_v1_", "a-f0-9", 32) for kind in "or"),
    *((f"hv{kind}.", _DASHED, 20) for kind in "br"),
    *((f"{kind}_", _WORD, 30) for kind in ("glc", "ntn", "gsk", "bkua", "sbp", "r8", "sntrys")),
    *((f"{kind}_", _WORD, 30) for kind in ("rubygems", "lin_oauth")),
    *((f"{kind}-", _DASHED, 30) for kind in ("xai", "pplx", "nvapi", "PMAK")),
    *((f"{kind}_", _DASHED, 30) for kind in ("figd", "CCIPAT", "CCIPRJ")),
    ("pul-", "a-f0-9", 40),
    ("dapi", "a-f0-9", 32),
    ("AKCp", _WORD, 60),
    ("mfa.", _DASHED, 60),
    *((f"shp{kind}_", "a-f0-9", 32) for kind in ("ss", "ca", "pa")),
    ("sq0atp-", _DASHED, 22),
    ("ATCTT3", "A-Za-z0-9_=-", 40),
    ("ATBB", _WORD, 28),
    ("ABSK", "A-Za-z0-9+/=", 60),
    ("bedrock-api-key-", "A-Za-z0-9+/=_-", 60),
    *((f"dp.{kind}.", "A-Za-z0-9._-", 40) for kind in ("pt", "st", "ct", "sa", "scim", "audit")),
    ("dckr_oat_", _DASHED, 20),
    *((f"tskey-{kind}-", _DASHED, 20) for kind in ("auth", "api", "client", "webhook", "scim")),
    ("fm2_", "A-Za-z0-9+/=_,-", 60),
    ("fo1_", _DASHED, 40),
    *((f"{kind}_", _WORD, 28) for kind in ("nfp", "pnu", "hcaik", "vcp", "aio", "tfp", "rdme")),
    *(
        (f"{kind}_", "A-Za-z0-9_", 40)
        for kind in ("sb_secret", "sgp", "sntryu", "CLOJARS", "shippo_live", "duffel_live")
    ),
    ("GR1348941", _DASHED, 20),
    *((f"gl{kind}-", _DASHED, 16) for kind in ("rtr", "ffct")),
    ("cmVmdGtuOj", _WORD, 40),
    *((f"NR{kind}-", _WORD, 16) for kind in ("II", "JS", "AA", "SP")),
    ("dt0c01.", "A-Z0-9.", 60),
    ("xkeysib-", "A-Za-z0-9-", 60),
    *((f"{kind}-", _DASHED, 40) for kind in ("CFPAT", "fio-u", "s-s4t2ud")),
    ("FLWSECK-", "A-Za-z0-9_-", 32),
    ("p8e-", "a-z0-9", 32),
    ("LTAI", _WORD, 20),
    ("EAAC", _WORD, 60),
    *((f"EZ{kind}K", _WORD, 54) for kind in "AT"),
    ("AQVN", _DASHED, 35),
    ("1//0", _DASHED, 40),
)
"""Beginning of a provider's token, its characters, and their least number."""

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SHAPES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("q~",), r"(?<![A-Za-z0-9._~-])[A-Za-z0-9._~-]{3}[0-9]Q~[A-Za-z0-9._~-]{31,34}(?![A-Za-z0-9._~-])"),  # Azure AD
    (("azdo",), r"(?<![A-Za-z0-9])[A-Za-z0-9]{70,80}AZDO[A-Za-z0-9]{4}(?![A-Za-z0-9])"),
    (("azfu",), r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{40,48}AzFu[A-Za-z0-9_-]{5,10}={0,2}"),
    (("+ast",), r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{70,80}\+ASt[A-Za-z0-9+/]{5,10}={0,2}"),
    (("acog",), r"(?<![A-Za-z0-9])[A-Za-z0-9]{50,54}AAA[AB]AC[A-Za-z0-9]{4,12}ACOG[A-Za-z0-9]{4}(?![A-Za-z0-9])"),
    (("pat",), r"(?<![A-Za-z0-9])pat[A-Za-z0-9]{14}\.[0-9a-f]{64}(?![A-Za-z0-9])"),  # Airtable
    (
        ("pat-", "sdk-", "hrku-", "access-"),
        rf"(?<![A-Za-z0-9])(?:pat-[a-z]{{2}}\d-|sdk-|HRKU-|access-(?:production|sandbox)-){_UUID}",
    ),
    (("v1.0-",), r"(?<![A-Za-z0-9])v1\.0-[0-9a-f]{24}-[0-9a-f]{100,200}"),  # Cloudflare
    (
        ("jsn",),
        r"(?<![A-Za-z0-9])[A-Za-z0-9]{8,12}msh[A-Za-z0-9]{15,22}jsn[A-Za-z0-9]{10,14}(?![A-Za-z0-9])",
    ),  # RapidAPI
    (("-us",), r"(?<![A-Za-z0-9])[0-9a-f]{32}-us[0-9]{1,2}(?![A-Za-z0-9])"),  # Mailchimp
    (("md-",), r"(?<![A-Za-z0-9-])md-(?=[A-Za-z_-]{0,21}[0-9])[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])"),  # Mandrill
    (("hc-ping.com/",), rf"(?<=hc-ping\.com/){_UUID}"),
    (("hooks.zapier.com/",), r"(?<=hooks\.zapier\.com/hooks/catch/)[0-9]{1,12}/[A-Za-z0-9]{5,}"),
    (("$apr1$", "$1$"), r"\$(?:apr1|1)\$[A-Za-z0-9./]{1,8}\$[A-Za-z0-9./]{22}"),
    (("{ssha", "{sha"), r"\{S?SHA(?:256|512)?\}[A-Za-z0-9+/]{24,}={0,2}"),
    (("pbkdf2",), r"pbkdf2[_:-]sha\d{1,3}[$:]\d{3,9}[$:][A-Za-z0-9+/.]{8,}[$:][A-Za-z0-9+/.]{20,}={0,2}"),
    (("scram-sha-",), r"SCRAM-SHA-\d{1,3}\$\d{3,9}:[A-Za-z0-9+/=]{8,}\$[A-Za-z0-9+/=]{20,}:[A-Za-z0-9+/=]{20,}"),
)
"""Tokens, and what a password becomes, that have their sign elsewhere: words in small letters without one of which the
pattern cannot match, and the pattern."""
