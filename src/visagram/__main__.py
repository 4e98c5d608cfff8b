"""`python -m visagram` is the command line."""

from visagram.interpreter import leave_working_folder

if __name__ == "__main__":
    leave_working_folder(as_module=True)
    from visagram.cli import main

    main()
