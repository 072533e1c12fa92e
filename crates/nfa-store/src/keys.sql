-- Keys, schema 1: the secrets that the store's content and logs hang on.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE subject_keys (
    subject TEXT PRIMARY KEY,
    key     BLOB NOT NULL
) WITHOUT ROWID;

-- Keys made ahead; the store says which run took which. Ids are never given twice: each draw begins at random.
CREATE TABLE run_keys (
    id  INTEGER PRIMARY KEY,
    key BLOB NOT NULL
);

-- Generation 0 is a log's first key; each rotation makes the next.
CREATE TABLE log_seeds (
    log        BLOB NOT NULL,
    generation INTEGER NOT NULL,
    seed       BLOB NOT NULL,
    PRIMARY KEY (log, generation)
) WITHOUT ROWID;

CREATE TABLE signed_heads (
    log  BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL
) WITHOUT ROWID;
