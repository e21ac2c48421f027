"""What runs: one folder per business noun with the same file names in each.

`endpoints` take requests and decide nothing, `service` decides without I/O of its own, `repository` holds the SQL,
`tables` the rows, `tasks` the retries, `schemas` the borders, `errors` the sentences people read.
One factory (`services.run.factory`) wires a process.
"""
