"""The platform's K3s cluster on Hetzner, decided before anything is made: configuration, addresses, nodes, cost, time.

Here: typed configuration with its refusals, the pure plan (which servers, where, under which address), prices, the
certificate authorities, and the sweep that finds what was left behind. Not here: Pulumi resources (that is
`clawstack.components`) and what happens inside a node (that is `clawstack.k3s`).
"""
