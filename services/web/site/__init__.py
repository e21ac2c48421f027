"""Public pages: what is sold, sign-up, and what became of it.

Not here: judging the form (`services.business.signups`), what all pages share (`services.kit.pages`), JSON (`services.web.api`).
"""
