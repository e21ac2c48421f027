"""Cells of the namespace substrate on a real node, with the real gateway in a pod."""
