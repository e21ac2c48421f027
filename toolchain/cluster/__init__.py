"""A real Kubernetes on this machine for tests: control plane, one node, DNS, volumes; from package registries alone.

Here belongs what makes, starts and stops it. What tests or tenants put into it does not; nor does anything for
production: its store has no durability and its administrator's key lies in a file.

`lifecycle.start()` gives a `running.TestCluster`, `lifecycle.attach()` the one that runs, `lifecycle.stop()` ends it
without a trace; `commands` are the same for people.
"""
