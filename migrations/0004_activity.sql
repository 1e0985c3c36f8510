-- Notifications of users who were there all the same, and what participants are told of a conversation wherever they are.

-- Whether no socket of the user was in the conversation when the message came. NULL: no message made it, or an earlier
-- version, which notified nobody else where that mattered.
ALTER TABLE notifications ADD COLUMN absent boolean;

-- Conversations in which something happened that participants are still to be told of; a task tells them. A row is one
-- telling, however much happened meanwhile.
CREATE SEQUENCE conversation_changes;
CREATE TABLE conversation_activity (
    conversation_id text PRIMARY KEY,
    -- Another number whenever something happens: a row with another one than was told of stays.
    change          bigint      NOT NULL DEFAULT nextval('conversation_changes'),
    since           timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Until then the worker that took it tells of it. NULL: nobody does.
    claimed_until   timestamptz
);
