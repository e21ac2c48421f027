"""`python -m services.cli`: the same as `clawstack`, for processes that know their interpreter but not their PATH."""

from services.cli.app import main

main()
