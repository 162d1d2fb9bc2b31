"""`python -m edgerag`."""

from edgerag.cli import main

if __name__ == "__main__":
    main()
