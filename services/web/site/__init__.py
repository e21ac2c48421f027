"""Public pages: what is sold, sign-up, and what became of it."""
