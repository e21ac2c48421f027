"""What all pages share: base template, style, vendored htmx, error page, and the check where a form came from.

Not here: any page of its own (`services.web.site`).
"""
