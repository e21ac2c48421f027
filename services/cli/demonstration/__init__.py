"""The demonstration: the platform and the stand-ins as processes of their own, and one parent's story through them.

Not here: anything that the platform imports, or that looks inside it. The story uses the pages, the API and the
official Stripe client, as the people in it would.
"""
