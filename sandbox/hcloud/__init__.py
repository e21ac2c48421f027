"""A stand-in for the Hetzner Cloud API v1: its resources, actions that take time, limits, errors, and trouble on demand.

The official clients work against it unchanged. Here belongs what the original does and how tests order trouble; nothing
of the product belongs here, and nothing here imports it.
"""
