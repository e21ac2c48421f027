"""What flows while a cell lives: model calls, Telegram's messages, and the ledger that both are charged to. Hot paths.

Not here: why a cell exists, who pays for it (business), how it comes to be (cells).
"""
