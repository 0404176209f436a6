"""The library's version, in one place: the package's metadata is built from here."""

__version__ = "0.1.0"
