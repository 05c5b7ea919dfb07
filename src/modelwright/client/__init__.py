"""A client of a Modelwright server: ``sync.Client`` and ``aio.AsyncClient``.

A request carries an id, so it may be sent again when no answer came: the server answers it once, and
logs it once. The client does so by itself. It needs the extra ``client``.
"""
