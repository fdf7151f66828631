"""Runs SQL in DuckDB and prints the rows of its last statement as JSON. usage: read.py < statements.sql"""

import json
import sys

import duckdb

connection = duckdb.connect()
result = None
for statement in connection.extract_statements(sys.stdin.read()):
    result = connection.execute(statement)
names = [column[0] for column in result.description]
rows = [dict(zip(names, row)) for row in result.fetchall()]
print(json.dumps(rows, default=lambda value: value.hex() if isinstance(value, bytes) else str(value)))
