"""The story in a real browser, as a parent with a phone sees it; nothing of what is behind the pages."""
