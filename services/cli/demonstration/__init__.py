"""The demonstration: the platform and the stand-ins as processes of their own, and one parent's story through them.

Nothing here is imported by the platform, and nothing here looks inside it: the story uses the pages, the API and the
official Stripe client, as the people in it would.
"""
