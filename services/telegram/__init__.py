"""The Telegram router: one shared bot outside, a virtual Bot API per cell inside. A hot path: bare Starlette and aiohttp only."""
