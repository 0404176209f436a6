"""``python -m riemannian_modules`` is the command line."""

from riemannian_modules.cli import main

if __name__ == "__main__":
    main()
