"""The imports that Python sources make, read from their syntax trees without running them.

Function-level and typing-only imports count like any other.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """One module: its dotted name, its text, and whether it is a package's ``__init__``."""

    name: str
    text: str
    is_package: bool = False

    def imports(self) -> Iterator[tuple[str, str | None]]:
        """Pairs: ``import a.b`` gives ("a.b", None), ``from a import b`` gives ("a", "b")."""
        for node in ast.walk(ast.parse(self.text, self.name)):
            if isinstance(node, ast.Import):
                yield from ((alias.name, None) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                yield from ((base, alias.name) for alias in node.names)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        # One dot means the package itself: a package is its own, a module's is its parent.
        kept = len(parts) - node.level + int(self.is_package)
        return ".".join(parts[:kept] + ([node.module] if node.module else []))


def read_sources(package: Path) -> list[Source]:
    """Every module below the folder ``package``, named from the folder's own name on."""
    sources = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        sources.append(Source(name, path.read_text(encoding="utf-8"), is_package))
    return sources


def resolved_imports(sources: list[Source]) -> dict[str, set[str]]:
    """For each source the modules that it imports; a name that is a module of ours is resolved."""
    known = {source.name for source in sources}
    return {
        source.name: {
            f"{module}.{name}" if f"{module}.{name}" in known else module
            for module, name in source.imports()
        }
        for source in sources
    }
