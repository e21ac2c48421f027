"""What endpoints ask for, by annotation: the process's things (`process`), who calls (`callers`), nouns' services (`services`).

An endpoint's signature says all that it uses and who may call it. Each value comes from the application that got the request.

Not here: making those things (`services.run`), judging tokens (`services.business.access`), paths and answers (`services.web.api`).
"""
