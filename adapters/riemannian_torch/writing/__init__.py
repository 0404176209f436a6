"""Writing modules of this library as torch code that autograd differentiates."""
