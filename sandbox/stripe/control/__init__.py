"""The control interface under /_control: what a test or a demonstration does to the outside world."""
