"""`python -m manyheads`: the command line, for launchers that take a module."""

from manyheads.cli.main import main

if __name__ == "__main__":
    main()
