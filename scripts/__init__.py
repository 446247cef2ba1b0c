"""Files of the repository that are made by a program: each module says by which `make` target."""
