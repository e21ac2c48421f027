"""The customer's own pages and API, and what all pages share: base template, style, vendored htmx, error page.

Not here: sign-up (onboarding), operators (admin).
"""
