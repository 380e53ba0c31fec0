"""``python -m stillwatch``: the command line."""

from stillwatch.app.cli import main

if __name__ == "__main__":
    main()
