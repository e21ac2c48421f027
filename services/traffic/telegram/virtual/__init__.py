"""The Bot API that cells see: the real one's shape, one bot per cell, and nothing of anybody else.

`api` takes the request and finds the tenant -> `parameters` reads it into one canonical form -> `methods` says what the
method is -> answered here (`local`, `polls`) or guarded (`guarding`) and forwarded (`forwarding`).
`push` brings updates to cells that set a webhook.

What is checked is what is sent: bodies are read, checked and written anew, never passed on as they came, because two
parsers seldom agree on a malformed body. Not here: the real bot and its token (`services.traffic.telegram.bot`).
"""
