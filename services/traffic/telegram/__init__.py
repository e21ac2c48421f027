"""The Telegram router: one shared bot outside, a virtual Bot API per cell inside. A hot path: bare Starlette and aiohttp only.

The way of a message: `endpoints` (webhook) or `update_source` (long poll) takes an update of the real bot -> `model.updates` reads
it -> `service` stores it once and applies what `model.routing` decides -> the cell fetches it through `virtual` (getUpdates)
or `virtual.push` brings it to the cell's webhook. The answer comes back as a method call through `virtual`, which guards it and
hands it to the real bot (`bot`).

Folders import in one direction: `virtual` -> this one -> `repository` -> `model`.
Not here: knowledge of how a cell is built, and any use of the real token outside `bot`.
"""
