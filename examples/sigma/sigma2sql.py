#!/usr/bin/env python3
"""Prints Sigma rules for CloudTrail as SQL over the view `events`.

    python3 -m venv .venv && .venv/bin/pip install pysigma pysigma-backend-sqlite
    .venv/bin/python examples/sigma/sigma2sql.py postgres RULE.yml…

The first argument is `sqlite`, `postgres` or `mysql` (also for MariaDB). Sigma compares texts without
regard to case. Here the names that AWS writes in one spelling are compared exactly, so that indexes
serve them; everything else is compared in lower case.
"""

import sys
from pathlib import Path

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

# Sigma's names of fields, and the columns of the view. Names of AWS, which have one spelling.
EXACT = {
    "eventSource": "event_source",
    "eventName": "event_name",
    "eventType": "event_type",
    "eventCategory": "event_category",
    "awsRegion": "region",
    "errorCode": "error_code",
    "recipientAccountId": "account_id",
    "userIdentity.type": "user_type",
}

# Everything else that is a column.
ANY_CASE = {
    "errorMessage": "error_message",
    "sourceIPAddress": "source_ip",
    "userAgent": "user_agent",
    "userIdentity.userName": "user_name",
    "userIdentity.arn": "user_arn",
    "userIdentity.principalId": "user_id",
    "userIdentity.accountId": "user_account_id",
    "userIdentity.accessKeyId": "access_key_id",
    "requestParameters": "request_parameters",
    "responseElements": "response_elements",
    "additionalEventData": "additional_event_data",
    "userIdentity": "user_identity",
}

# What the text of a member of a JSON column is, by database. SQLite has 1 and 0 for true and false.
MEMBER = {
    "sqlite": lambda column, path: (
        "CASE json_type({0}, {1}) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "
        "ELSE json_extract({0}, {1}) END".format(column, f"'$.{'.'.join(path)}'")
    ),
    "postgres": lambda column, path: f"{column}::json #>> '{{{','.join(path)}}}'",
    "mysql": lambda column, path: f"JSON_UNQUOTE(JSON_EXTRACT({column}, '$.{'.'.join(path)}'))",
}

REGEX = {"sqlite": "REGEXP", "postgres": "~*", "mysql": "REGEXP"}


class EventsBackend(sqliteBackend):
    """SQL that every database of cloudtrail2sql reads."""

    name = "cloudtrail2sql"
    table = "events"
    # A backslash would be an escape in MySQL's literals, too.
    escape_char = add_escaped = "!"
    wildcard_match_expression = "{field} LIKE '{value}' ESCAPE '!'"
    null_safe_expression = "COALESCE({expr}, FALSE)"
    bool_expression = "{field}={value}"

    def __init__(self, database):
        super().__init__()
        self.database = database
        self.re_expression = "{field} " + REGEX[database] + " '{regex}'"

    def escape_and_quote_field(self, field):
        if field in ("events", "*") or field in EXACT:
            return EXACT.get(field, field)
        if field in ANY_CASE:
            return f"LOWER({ANY_CASE[field]})"
        top, *path = field.split(".")
        if top not in ANY_CASE:
            top, path = "other_fields", [top, *path]
        return f"LOWER({MEMBER[self.database](ANY_CASE.get(top, top), path)})"

    def convert_condition_field_eq_val_str(self, cond, state):
        if cond.field not in EXACT:
            cond.value = cond.value.map_parts(
                lambda part: part.lower(), lambda part: isinstance(part, str)
            )
        return super().convert_condition_field_eq_val_str(cond, state)


def main(database, *files):
    if database not in MEMBER or not files:
        sys.exit(__doc__)
    backend = EventsBackend(database)
    rules = SigmaCollection.load_ruleset([Path(file) for file in files])
    for rule in rules.rules:
        for sql in backend.convert_rule(rule):
            if database == "mysql":
                sql = sql.replace("\\", "\\\\")
            print(f"-- {rule.title} ({rule.level})\n{sql};")


if __name__ == "__main__":
    main(*(sys.argv[1:] or [""]))
