"""Stand-in for the Telegram Bot API and for the people who chat with a bot.

Here: the Bot API as bots see it, the users' side (control API and a small chat page), faults on demand.
Not here: anything that knows what the product does with its bots.
"""
