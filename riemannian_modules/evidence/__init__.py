"""Why a claim holds: read, verified, written, explained; nothing here searches."""
