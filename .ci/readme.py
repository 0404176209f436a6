"""Print the fenced block of README.md that follows the line ``<!-- ci: NAME -->``.

The gate runs the README's own commands, so that the two cannot differ. Exit code 3: no such block.
"""

import re
import sys
from pathlib import Path


def fenced_block(text: str, name: str) -> str | None:
    """The content of the first fence after the mark ``name``, or None where there is no mark."""
    mark = rf"^<!-- ci: {re.escape(name)} -->\n+"
    found = re.search(mark + r"```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else None


def main() -> int:
    """Print the block that the one argument names."""
    (name,) = sys.argv[1:]
    readme = Path(__file__).resolve().parent.parent / "README.md"
    block = fenced_block(readme.read_text(encoding="utf-8"), name)
    if block is None:
        print(f"README.md has no fenced block after <!-- ci: {name} -->", file=sys.stderr)
        return 3
    print(block, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
