"""`python -m k3push`."""

from k3push.cli.main import main

main()
