-- Reactions, calls, notifications, uploads; users as backends describe them; conversations that change and go.
-- The conventions are those of the first schema. Of what is new, only the worker writes reactions, calls and what
-- messages make of notifications; commands write notifications of backends, marks of reading, and uploads.

-- What only backends know of a user. NULL is unknown.
ALTER TABLE users
    ADD COLUMN username text,
    ADD COLUMN email    text,
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}';

ALTER TABLE conversations
    ADD COLUMN updated_at timestamptz,
    -- Set with the command that deletes it, and cleared when the id is used again; deleted_rev follows with the event.
    ADD COLUMN deleted_at timestamptz,
    -- When something was last said in it, for lists.
    ADD COLUMN active_at  timestamptz;

-- One row for whatever a user ever did with an emoji: active says whether the reaction is there now.
CREATE TABLE reactions (
    message_id      uuid    NOT NULL,
    user_id         text    NOT NULL,
    emoji           text    NOT NULL,
    conversation_id text    NOT NULL,
    -- The place of the message, so that an update can be told from the rows alone.
    seq             bigint  NOT NULL,
    -- Who it was then: id, name, avatar, role.
    reactor         jsonb   NOT NULL,
    active          boolean NOT NULL,
    -- When it came or went.
    changed_at      timestamptz NOT NULL,
    epoch           bigint  NOT NULL,
    rev             bigint  NOT NULL,
    PRIMARY KEY (message_id, user_id, emoji)
);
-- What changed since a version.
CREATE INDEX reactions_by_version ON reactions (conversation_id, epoch, rev);

CREATE TABLE calls (
    id              uuid PRIMARY KEY,
    conversation_id text        NOT NULL,
    type            text        NOT NULL,
    status          text        NOT NULL,
    started_by      text        NOT NULL,
    caller          jsonb       NOT NULL,
    started_at      timestamptz NOT NULL,
    answered_at     timestamptz,
    ended_at        timestamptz,
    ended_by        text,
    epoch           bigint      NOT NULL,
    rev             bigint      NOT NULL
);
-- Pages, newest first: ids rise with the time.
CREATE INDEX calls_of_conversation ON calls (conversation_id, id);
CREATE INDEX calls_by_version ON calls (conversation_id, epoch, rev);
-- Those that a task ends when nobody else does.
CREATE INDEX calls_not_over ON calls (started_at) WHERE ended_at IS NULL;

CREATE TABLE call_participants (
    call_id   uuid        NOT NULL,
    user_id   text        NOT NULL,
    profile   jsonb       NOT NULL,
    joined_at timestamptz NOT NULL,
    epoch     bigint      NOT NULL,
    rev       bigint      NOT NULL,
    PRIMARY KEY (call_id, user_id)
);

-- Messages of which participants are still to be notified; a task makes notifications of them.
CREATE TABLE notification_jobs (
    message_id uuid PRIMARY KEY,
    policy     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE notifications (
    id              uuid PRIMARY KEY,
    user_id         text        NOT NULL,
    type            text        NOT NULL,
    text            text        NOT NULL,
    data            jsonb       NOT NULL DEFAULT '{}',
    conversation_id text,
    message_id      uuid,
    created_at      timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    read_at         timestamptz,
    -- When it was published on the user's channel; a task publishes those that never were.
    announced_at    timestamptz,
    UNIQUE (user_id, message_id)
);
CREATE INDEX notifications_of_user ON notifications (user_id, created_at DESC, id DESC);
CREATE INDEX notifications_unread ON notifications (user_id) WHERE read_at IS NULL;
-- Those that go with a deleted conversation.
CREATE INDEX notifications_of_conversation ON notifications (conversation_id) WHERE message_id IS NOT NULL;
CREATE INDEX notifications_to_announce ON notifications (created_at) WHERE announced_at IS NULL;

-- Files that are stored whole. The bytes are in the object store, under `path`.
CREATE TABLE uploads (
    id              uuid PRIMARY KEY,
    owner_id        text        NOT NULL,
    -- Whose participants may read it; NULL: its owner alone.
    conversation_id text,
    name            text        NOT NULL,
    content_type    text        NOT NULL,
    size            bigint      NOT NULL,
    path            text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now())
);
CREATE INDEX uploads_of_owner ON uploads (owner_id, created_at DESC, id DESC);
