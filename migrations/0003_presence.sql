-- When a user was last seen: written by the worker when his last socket is gone. NULL is unknown.
ALTER TABLE users ADD COLUMN last_seen_at timestamptz;
