"""Offline `hcloud` provider: the resource types that this project uses, over the Hetzner Cloud API.

`cloud/` is the way to the API. `model/` describes properties and judges inputs by those descriptions alone; its `resource`
keeps a repeated create from making a second object. `kinds/` has one module per family of resources (its properties and
what it asks of the API), `registry` knows all of them. Above: `wishes` reads inputs, `converging` brings an object to its
wish, `functions` answers the invokes, `provider` answers the engine alike for all kinds.

Property names, ids and what forces a replacement are those of the official provider. What it adds: an object that a
broken-off run left behind is taken over by its name and labels, a server that a broken-off change left off is switched on
by the next one, servers are asked to shut down before their power is cut, and errors carry the platform's kinds.
Left to the official provider: floating IPs, reverse DNS, storage boxes, the old Certificate type, primary IPs of load
balancers.
"""
