"""A story on a platform that runs elsewhere: bought with Stripe's test card, chatted with, cancelled, gone.

What belongs here looks at the platform from outside alone: its pages, its public API, Stripe's test mode, the chat. Not
here: starting a platform (`services.cli.demonstration`), settings and the database of this machine.

- `buying` pays and cancels at Stripe, and refuses everything that is not test mode.
- `chatting` writes to the assistant: by itself where Telegram is the stand-in, else a person does.
- `story` is the order of things, `platform` what the platform shows of them.
"""
