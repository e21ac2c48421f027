"""Offline plugins: stand-ins for official Pulumi plugins on machines that cannot get those.

One folder per plugin, each with `main.main(folder, arguments)`, where `folder` holds the starter; the starter in the
cache runs `python -m toolchain.plugins MODULE FOLDER`. They implement what this project uses, with the official property names, and take the place of nothing that
is installed. A new one is entered in `toolchain.ground.plugin_choice.WANTED`.
"""
