"""``python -m serzoo`` is the command ``serzoo``."""

from serzoo.cli import main

if __name__ == "__main__":
    main()
