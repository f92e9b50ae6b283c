"""Runs the statements of a file in DuckDB, and prints the rows of each as JSON."""

import json
import sys

import duckdb

for statement in duckdb.extract_statements(open(sys.argv[1]).read()):
    print(json.dumps(duckdb.execute(statement).fetchall()))
