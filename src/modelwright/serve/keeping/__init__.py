"""The keeper: the one process of a host that talks to the store while workers answer."""
