"""The wire formats of the clients there are, each as a codec that knows no web framework.

A codec reads a body and headers into a ``Call`` (rows as JSON would hold them, ids, wishes) and turns
answers and errors into a ``Reply``. What a row *means* is said elsewhere, once, for all of them.
"""
