"""Offline `hcloud` provider: the resource types that this project uses, over the Hetzner Cloud API.

`shapes` describes properties; `checking` and `changes` judge inputs by those descriptions alone; `kinds/` has one module
per family of resources (its properties and what it asks of the API); `creation` keeps a repeated create from making a
second object; `api`, `session`, `waiting` and `refusals` are the way to the API; `functions` answers the invokes;
`provider` answers the engine alike for all kinds.

Property names, ids and what forces a replacement are those of the official provider. What it adds: an object that a
broken-off run left behind is taken over by its name and labels, and errors carry the platform's kinds.
"""
