"""A gateway that was killed in its first seconds leaves a database without tables; OpenClaw refuses to back that up.

Measured with 2026.9.6: for some 100 ms of the first start the file is empty, then a page and a journal. Every command that
reads the state makes the tables, as the next start would; after it the backup goes through. Without it a customer who
cancels at once leaves a cell that only an operator can destroy.
"""

from __future__ import annotations

from typing import Final

UNFINISHED: Final = "schema role missing|snapshot source must not be empty"
"""In the words of OpenClaw's refusal: an expression that Python, JavaScript and `grep -E` read alike."""
FINISH: Final = ("sessions", "list", "--json")
"""The cheapest of those commands: 1.4 s on two cores, and it needs neither a gateway nor a token."""
