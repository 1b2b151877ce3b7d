"""The configurations that PostgREST's cases run under, as settings of the gateway.

A case names its configuration in the words of PostgREST's suite (`{ configDbAggregates = True }`);
here each is a set of changes to the base configuration, by section of truststream.toml.
"""
import json

AUDIENCE = "youraudience"
EXTRA_SEARCH_PATH = ["public", "extensions", 'EXTRA "@/\\#~_-']
BASE = {
    "backend.main.database": {},
    # A busy machine is not a database that is down.
    "health": {"timeout": "120s", "latency": "120s"},
    "rest": {
        "schemas": ["test"],
        "extra_search_path": [],
        "anon_role": "postgrest_test_anonymous",
        "tx_end": "rollback-allow-override",
        "server_timing": True,
    },
    "auth": {
        "jwt_secret": "reallyreallyreallyreallyverysafe",
        "jwt_audience": "",
        "default_role": "postgrest_test_anonymous",
        "roles": [
            "postgrest_test_anonymous",
            "postgrest_test_default_role",
            "postgrest_test_author",
            "postgrest_test_superuser",
        ],
    },
}
# What stands in a case's `config`, and what it changes.
OTHERS = {
    "configDbAggregates = True": {"rest": {"aggregates": True}},
    "configDbSchemas =": {"rest": {"schemas": ["v1", "v2", 'SPECIAL "@/\\#~_-']}},
    "configDbPlanEnabled = True": {"rest": {"plan": True}},
    "configDbExtraSearchPath =": {
        "rest": {"extra_search_path": EXTRA_SEARCH_PATH},
        "backend.main.database": {"extra_search_path": EXTRA_SEARCH_PATH},
    },
    # PostgREST has one setting for the largest reply and for the largest total that it counts.
    "configDbMaxRows = Just 2": {"rest": {"max_rows": 2}, "backend.main.database": {"estimate_above": 2}},
    'configJwtAudience = Just "youraudience"': {"auth": {"jwt_audience": AUDIENCE}},
    '"custom_headers"': {"backend.main.database": {"pre_request": "custom_headers"}},
    '"load_safeupdate"': {"backend.main.database": {"pre_request": "test.load_safeupdate"}},
    "configDbAnonRole = Nothing": {"rest": {"anon_role": ""}},
    "configOpenApiMode = OADisabled": {"rest": {"openapi_mode": "disabled"}},
}


def changes(config):
    """What the configuration of a case changes; an unknown one is an error."""
    found = [change for words, change in OTHERS.items() if words in config]
    if len(found) != 1:
        raise ValueError(f"not a known configuration: {config}")
    return found[0]


def toml(database, change):
    """The text of truststream.toml for a database's settings and what is changed of the base."""
    base = {**BASE, "backend.main.database": database}
    sections = {name: {**settings, **change.get(name, {})} for name, settings in base.items()}
    lines = ['active = "main"']
    for name, settings in sections.items():
        lines += ["", f"[{name}]", *(f"{key} = {value(setting)}" for key, setting in settings.items())]
    return "\n".join(lines) + "\n"


def value(setting):
    """A setting as TOML."""
    if isinstance(setting, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {value(inner)}" for key, inner in setting.items()) + " }"
    # Of texts, numbers, truth values and lists of them TOML and JSON have the same notation.
    return json.dumps(setting)
