"""Webhooks: planning deliveries (and ordered mischief), sending them with retries, recording every attempt."""
