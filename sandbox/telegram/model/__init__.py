"""The world that the stand-in shows: bots, their chats, updates and files, and the people who write to them.

Here belong also the words of the Bot API: its parameters, its refusals, formatted text. Not here: HTTP, what one method of
the API does (`methods`), how updates are delivered (`webhooks`), and what outlives the process (`memory`).
"""
