"""``python -m eossim.cli``."""

from . import app

if __name__ == "__main__":  # worker processes import it
    app()
