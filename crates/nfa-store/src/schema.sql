-- Schema 1. Ids are BLOBs of 16 or 32 bytes; inside the file, runs, sessions and logs go by small integers.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE programs (
    id   INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    json BLOB NOT NULL
);

CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    run         BLOB NOT NULL UNIQUE,
    status      INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    owner       TEXT,
    until       INTEGER NOT NULL,
    created     INTEGER NOT NULL,
    updated     INTEGER NOT NULL,
    program     INTEGER NOT NULL,
    agent       TEXT NOT NULL,
    session     TEXT,
    subject     TEXT NOT NULL,
    parent_run  BLOB,
    parent_step TEXT,
    -- The key in the file of keys under which the run's own content is sealed, if it took one made ahead.
    key         INTEGER
);
CREATE INDEX runs_open ON runs (owner) WHERE status < 2;
CREATE INDEX runs_session ON runs (session) WHERE session IS NOT NULL;

-- One row for each batch, in the order of their commits, so that batches of many runs share pages: its entries
-- as JSON, a line each, and its blobs one after the other: address, length of the envelope (8 bytes, big end
-- first), envelope. `next` is the number after its last entry: how far a run has come is told by its last row.
CREATE TABLE entries (
    id    INTEGER PRIMARY KEY,
    run   INTEGER,
    next  INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    json  BLOB NOT NULL,
    blobs BLOB
);

-- Which rows are a run's, by the number of their first entry.
CREATE TABLE run_rows (
    run   INTEGER NOT NULL,
    first INTEGER NOT NULL,
    row   INTEGER NOT NULL,
    PRIMARY KEY (run, first)
) WITHOUT ROWID;

-- In which row a blob is. The prefix is the first 8 bytes of its address. Addresses are scattered, so this is
-- kept small.
CREATE TABLE blob_rows (
    prefix INTEGER NOT NULL,
    row    INTEGER NOT NULL,
    PRIMARY KEY (prefix, row)
) WITHOUT ROWID;

CREATE TABLE sessions (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,
    subject   TEXT NOT NULL,
    pseudonym BLOB NOT NULL,
    length    INTEGER NOT NULL,
    open_run  BLOB,
    -- The context chain: its head, and how many messages it covers.
    context_head     BLOB,
    context_messages INTEGER
);

CREATE TABLE session_leaves (
    session INTEGER NOT NULL,
    log     BLOB NOT NULL,
    next    INTEGER NOT NULL,
    PRIMARY KEY (session, log)
) WITHOUT ROWID;

CREATE TABLE session_items (
    session INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    run     BLOB NOT NULL,
    kind    INTEGER NOT NULL,
    call    INTEGER,
    address BLOB NOT NULL,
    PRIMARY KEY (session, number)
) WITHOUT ROWID;

CREATE TABLE inbox (
    number       INTEGER PRIMARY KEY,
    run          INTEGER NOT NULL,
    id           TEXT NOT NULL,
    at           INTEGER NOT NULL,
    signal       BLOB NOT NULL,
    acknowledged INTEGER NOT NULL DEFAULT 0,
    UNIQUE (run, id)
);
CREATE INDEX inbox_waiting ON inbox (run, number) WHERE acknowledged = 0;

CREATE TABLE timers (
    run  INTEGER NOT NULL,
    step TEXT NOT NULL,
    at   INTEGER NOT NULL,
    PRIMARY KEY (run, step)
) WITHOUT ROWID;
CREATE INDEX timers_at ON timers (at);

CREATE TABLE logs (
    id    INTEGER PRIMARY KEY,
    log   BLOB NOT NULL UNIQUE,
    agent TEXT NOT NULL UNIQUE,
    size  INTEGER NOT NULL DEFAULT 0,
    epoch INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    until INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE drafts (
    number   INTEGER PRIMARY KEY,
    log      INTEGER NOT NULL,
    run      INTEGER NOT NULL,
    entry    INTEGER NOT NULL,
    leaf     BLOB NOT NULL,
    openings BLOB NOT NULL,
    position INTEGER
);
CREATE INDEX drafts_waiting ON drafts (log, number) WHERE position IS NULL;
CREATE INDEX drafts_run ON drafts (run, number);

CREATE TABLE log_nodes (
    log   INTEGER NOT NULL,
    level INTEGER NOT NULL,
    place INTEGER NOT NULL,
    hash  BLOB NOT NULL,
    PRIMARY KEY (log, level, place)
) WITHOUT ROWID;

CREATE TABLE checkpoints (
    log  INTEGER NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (log, size)
) WITHOUT ROWID;

-- Checkpoints on their way to anchors, and those that are there. State: 0 pending, 1 anchored, 2 verified.
CREATE TABLE anchors (
    anchor   TEXT NOT NULL,
    log      INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    root     BLOB NOT NULL,
    note     TEXT NOT NULL,
    state    INTEGER NOT NULL,
    ticket   TEXT,
    evidence BLOB,
    since    INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    tries    INTEGER NOT NULL,
    failure  TEXT,
    PRIMARY KEY (anchor, log, size)
) WITHOUT ROWID;
CREATE INDEX anchors_due ON anchors (anchor, due) WHERE state < 2;
CREATE INDEX anchors_log ON anchors (log, size);
