"""The Stripe stand-in as a process of its own, driven by the official client and by a browser's requests."""
