"""``python -m modelwright`` is the same program as ``modelwright``."""

from modelwright.cli.main import main

if __name__ == "__main__":
    main()
