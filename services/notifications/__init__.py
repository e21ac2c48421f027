"""The outbox of messages to customers and operators, and who delivers them."""
