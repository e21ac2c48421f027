"""The Telegram router: one shared bot outside, a virtual Bot API per cell inside. A hot path: bare Starlette and aiohttp only.

The way of a message: `endpoints` (webhook) or `intake` (long poll) takes an update of the real bot -> `updates` reads it ->
`service` stores it once and applies what `routing` decides -> the cell fetches it through `virtual` (getUpdates) or
`push` brings it to the cell's webhook. The answer comes back as a method call through `virtual`, which guards it and
hands it to the real bot (`bot`).

Not here: knowledge of how a cell is built, and any use of the real token outside `bot`.
"""
