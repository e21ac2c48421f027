"""The customer's own pages and API. Not here: sign-up (onboarding), operators (admin)."""
