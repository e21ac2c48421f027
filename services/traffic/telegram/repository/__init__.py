"""SQL of the Telegram router, one module per table family. Not here: decisions (`model.routing` takes them)."""
