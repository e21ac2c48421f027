"""Programs that attack, run as a cell's account or as another unprivileged one; tests judge what they report.

They import nothing of the product or of the tests, for they run where neither can be read.
"""
