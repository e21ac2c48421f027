"""Language host for Python (`pulumi-language-python`): runs local programs and policy packs.

Judges nothing about programs and installs nothing: the interpreter is the one of this project's environment, or the
one that the program's own `runtime.options.virtualenv` names.
"""
