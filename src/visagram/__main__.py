"""`python -m visagram` is the command line."""

from visagram.cli import main

if __name__ == "__main__":
    main()
