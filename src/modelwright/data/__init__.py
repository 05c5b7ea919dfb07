"""Reading, inferring, validating, versioning and splitting the data, and its reference profile."""
