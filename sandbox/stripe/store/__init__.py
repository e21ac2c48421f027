"""What one account is and keeps: its file, the SQL over it, its clock, and the event that every change leaves behind.

Not here: what objects look like (`objects`), what one change does to others (`engine`), and HTTP (`api`, `pages`,
`control`).
"""
