"""What each route does, one module a concern. The table of them is ``serve.app``."""
