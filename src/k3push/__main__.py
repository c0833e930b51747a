"""`python -m k3push`."""

from k3push.cli.app import main

main()
