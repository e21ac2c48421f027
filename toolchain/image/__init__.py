"""The image of clawstack's own services: an OCI image from package registries alone, the same at every writing.

Here belongs its recipe, how each layer is made, and what is said about it (SBOM). Publishing and signing it is
`toolchain.publishing`; the images of the test cluster are `toolchain.cluster.images`. Nothing here starts a container.

- `recipe` says what is in the image and why; `requirements.lock` and `debian.json` are its pins.
- `debian`, `packages` and `tools` make the layers that change seldom and are cached by what they are made of; `code`
  the one that is new with every commit.
- `layer` writes a layer, `layout` joins layers to an OCI layout, `building` does all of it, `commands` for people.
- `sbom` lists every package in it.
"""
