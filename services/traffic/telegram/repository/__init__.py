"""SQL of the Telegram router, one module per table family. No decisions here: `model.routing` takes them."""
