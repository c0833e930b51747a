"""The command line: arguments into objects, a use case, an exit code.

`commands` has the commands and their options, and `actions` what each of them does.
"""
