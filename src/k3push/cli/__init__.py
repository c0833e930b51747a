"""The command line: arguments into objects, a use case, an exit code.

`main` has the commands and their options; each does its work in the module that its help
belongs to: `running`, `showing`, `starting`, `trying`. `words` holds every sentence, twice.
"""
