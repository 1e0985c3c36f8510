-- The first schema. Conventions:
--   * epoch and rev order every change of a conversation (see domain/src/version.rs); a row is replaced only by a
--     newer pair, so that entries can be written in any order and more than once.
--   * Only the worker writes messages, cursors, heads and dead letters. Only commands (through the gateway) write users,
--     membership and the outbox.
--   * No foreign keys and no unique constraints on what the append script numbers: an acknowledged entry must never be
--     refused by the database.

-- What is known of users, from a backend or from the claims of their tokens. NULL is unknown.
CREATE TABLE users (
    id         text PRIMARY KEY,
    name       text,
    avatar     text,
    role       text,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE conversations (
    id          text PRIMARY KEY,
    title       text,
    metadata    jsonb  NOT NULL DEFAULT '{}',
    -- NULL: nobody created it; it appeared by being used.
    created_at  timestamptz,
    -- The event that last changed the fields above.
    state_epoch bigint NOT NULL DEFAULT 0,
    state_rev   bigint NOT NULL DEFAULT 0,
    -- The newest event, dead letters included, and the newest message. They only ever rise.
    epoch       bigint NOT NULL DEFAULT 0,
    head_rev    bigint NOT NULL DEFAULT 0,
    head_seq    bigint NOT NULL DEFAULT 0,
    -- Nothing up to here is stored any more: the conversation was deleted then.
    deleted_rev bigint NOT NULL DEFAULT 0
);

-- Members are the rows without left_at. A row outlives its membership because of its cursors; one that never was a
-- membership (somebody read an open conversation) has no joined_at, and the epoch of Unix as left_at.
CREATE TABLE participants (
    conversation_id text   NOT NULL,
    user_id         text   NOT NULL,
    role            text   NOT NULL DEFAULT 'member',
    joined_at       timestamptz,
    left_at         timestamptz,
    delivered_seq   bigint NOT NULL DEFAULT 0,
    read_seq        bigint NOT NULL DEFAULT 0,
    delivered_at    timestamptz,
    read_at         timestamptz,
    -- The event that last announced a change of the membership.
    epoch           bigint NOT NULL DEFAULT 0,
    rev             bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation_id, user_id)
);
CREATE INDEX participants_of_user ON participants (user_id, conversation_id) WHERE left_at IS NULL;

CREATE TABLE messages (
    id              uuid PRIMARY KEY,
    conversation_id text        NOT NULL,
    seq             bigint      NOT NULL,
    epoch           bigint      NOT NULL,
    created_rev     bigint      NOT NULL,
    rev             bigint      NOT NULL,
    sender_id       text        NOT NULL,
    -- The sender as he was when he sent it: name, avatar, role.
    sender          jsonb       NOT NULL,
    type            text        NOT NULL,
    content         text        NOT NULL,
    attachments     jsonb       NOT NULL DEFAULT '[]',
    metadata        jsonb       NOT NULL DEFAULT '{}',
    reply_to        uuid,
    client_id       text,
    -- The connection that its newest state came from, which is not told of it again.
    origin          text,
    created_at      timestamptz NOT NULL,
    edited_at       timestamptz,
    deleted_at      timestamptz
);
-- Pages of history.
CREATE INDEX messages_in_order ON messages (conversation_id, seq);
-- What changed since a version. The epoch stands between because versions compare by it first.
CREATE INDEX messages_by_version ON messages (conversation_id, epoch, rev);

-- Events of commands that changed rows here, until they are appended. Rows of one conversation are inserted under the
-- lock of its row, so that their ids are in the order of the commits.
CREATE TABLE outbox (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conversation_id text        NOT NULL,
    kind            text        NOT NULL,
    body            text        NOT NULL,
    changes_acl     boolean     NOT NULL,
    -- The connection that the command came from.
    origin          text,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_of_conversation ON outbox (conversation_id, id);

-- Entries of the streams that cannot be written, as they were (bytes: a reason may be that they are no text).
CREATE TABLE dead_letters (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream       text        NOT NULL CHECK (stream IN ('ingest', 'receipts')),
    partition    integer     NOT NULL,
    entry_id     text        NOT NULL,
    conversation bytea       NOT NULL,
    header       bytea       NOT NULL,
    body         bytea       NOT NULL,
    -- Stream ids can come again after Redis lost its data; an entry parked twice has the same content too.
    digest       text        NOT NULL GENERATED ALWAYS AS (md5(conversation || '\x00'::bytea || header || '\x00'::bytea || body)) STORED,
    reason       text        NOT NULL,
    sqlstate     text,
    parked_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (stream, partition, entry_id, digest)
);

-- How conversations are spread over partitions, as the first process recorded it. One row.
CREATE TABLE layout (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    partitions text NOT NULL
);
