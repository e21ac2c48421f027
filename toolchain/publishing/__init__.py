"""Publishes a release: image, manifests and list of packages to a registry, by digest and signed; and verifies one.

Here belongs what talks to a registry and what signs. How the image is made is `toolchain.image`; what the manifests say
is the add-on `clawstack.addons.workloads`. Nothing here installs anything into a cluster.

- `registry` speaks OCI's distribution protocol, `artifacts` says what is pushed beside an image.
- `signing` signs in the form that cosign verifies; `verifying` refuses what was changed on the way.
- `releasing` does a release step by step, a dry run unless told otherwise; `rendering` writes the manifests.
- `commands` for people: `python -m toolchain release`.
"""
