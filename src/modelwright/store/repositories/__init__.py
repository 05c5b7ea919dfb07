"""One module for each port, over either kind of database."""
