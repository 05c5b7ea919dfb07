"""Jobs, triggers, the duel between challenger and champion, promotion and rollback."""
