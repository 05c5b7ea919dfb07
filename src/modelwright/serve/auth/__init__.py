"""Who asks, and what they may: API keys, tokens of an OpenID provider, limits of rate.

Nothing here knows a web framework. The path of a request is ``authenticator.Authenticator``; it costs
microseconds and touches neither the database nor the network, which ``refresh`` does beside it.
"""
