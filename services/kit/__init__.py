"""Mechanics without business: HTTP answers, pages, jobs, database, vault, limits, and the context every noun gets.

Here belongs what would serve another product as well. Not here: a tenant, a plan's price, a cell (the floors above).
"""
