"""Execute every notebook in a kernel of its own, in an empty folder; exit code 1 if a cell fails.

A command fails with another exit code than the one that its comment names. The stored files stay
without outputs. Needs the extra `notebook`.
"""

import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "notebooks"


def checked(source: str) -> str:
    """A cell in which each command is followed by a look at its exit code (`# exit 3`, else 0)."""
    lines = []
    for line in source.splitlines():
        lines.append(line)
        if line.startswith("!"):
            wanted = re.search(r"# exit (\d+)$", line)
            lines.append(f"assert _exit_code == {wanted[1] if wanted else 0}, _exit_code")
    return "\n".join(lines)


def main() -> int:
    """Execute them one after the other and say what failed."""
    failed = []
    for path in sorted(FOLDER.glob("*.ipynb")):
        content = nbformat.read(path, as_version=4)
        nbformat.validate(content)
        for cell in content.cells:
            if cell.cell_type == "code":
                cell.source = checked(cell.source)
        with tempfile.TemporaryDirectory() as folder:
            client = NotebookClient(content, timeout=600, resources={"metadata": {"path": folder}})
            try:
                client.execute()
                print(f"{path.name}: {len(content.cells)} cells")
            except CellExecutionError as error:
                failed.append(path.name)
                print(f"{path.name}: {error}", file=sys.stderr)
    print(f"{len(failed)} notebooks failed: {failed}" if failed else "all notebooks ran")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
