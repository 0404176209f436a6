"""Reading torch models: what torch exports becomes modules of this library, wired as the model is."""
