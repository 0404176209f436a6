"""Reading torch models: exported operations become modules of this library, wired alike."""
