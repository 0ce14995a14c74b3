"""Run the command line as `python -m manyheads`, for launchers that start a module."""

from manyheads.cli.main import main

if __name__ == "__main__":
    main()
