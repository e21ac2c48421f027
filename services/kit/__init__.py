"""Mechanics without business: HTTP answers, pages, jobs, database, vault, limits, and the context every noun gets.

Here belongs what would serve another product as well. Nothing here knows a tenant, a plan's price or a cell.
"""
