"""Runs the code of a page, then evaluates expressions with what it defines.

Prints a line of JSON for each expression: the rows of a DataFrame, or one row with the value, every
cell as text; or the message of the error, as text.
"""

import json
import sys

from pyspark.sql import DataFrame

page = {"__name__": "__main__"}
exec(open(sys.argv[1]).read(), page)


def rows(value):
    cells = value.collect() if isinstance(value, DataFrame) else [[value]]
    return [[None if cell is None else str(cell) for cell in row] for row in cells]


for expression in json.load(open(sys.argv[2])):
    try:
        answer = rows(eval(expression, page))
    except Exception as error:
        answer = str(error)
    print(json.dumps(answer), flush=True)
