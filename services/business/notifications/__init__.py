"""The outbox of messages to customers and operators, and who delivers them.

Whoever owes a message writes an `OutboxMessage` in the transaction that makes it due. Not here: when one is due, and
what happened (the noun that writes it).
"""
