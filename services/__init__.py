"""What runs, on eight floors; imports point downwards only, and import-linter holds them.

`cli` > `run` > `web` > `cells` > `business` > `traffic` > `tables` > `kit`. In every noun the same names: `service`
decides, `repository` holds SQL, `tasks` jobs and retries, `schemas` the borders, `errors` the sentences that people read.
Pages and endpoints live in `web`; `run.parts` wires each noun, `run.factory` a process. docs/engineers.md has the map.

Not here: what a cell consists of (`tenants`), what every layer needs (`clawstack`), the outside world, imitated (`sandbox`).
"""
