-- The tutorial's 16 columns, in its order. Text holds every character except U+0000. The collation
-- "C" sorts in the same order as SQLite and MySQL do here, and makes indexes faster to build. Four
-- columns of ours follow; a `logs` table that lacks them gets them when it is opened.
CREATE TABLE IF NOT EXISTS logs (
    eventVersion       TEXT COLLATE "C",
    userIdentity       TEXT COLLATE "C",
    eventTime          TEXT COLLATE "C",
    eventSource        TEXT COLLATE "C",
    eventName          TEXT COLLATE "C",
    awsRegion          TEXT COLLATE "C",
    sourceIPAddress    TEXT COLLATE "C",
    userAgent          TEXT COLLATE "C",
    errorCode          TEXT COLLATE "C",
    errorMessage       TEXT COLLATE "C",
    requestParameters  TEXT COLLATE "C",
    responseElements   TEXT COLLATE "C",
    requestID          TEXT COLLATE "C",
    eventID            TEXT COLLATE "C",
    eventType          TEXT COLLATE "C",
    recipientAccountId TEXT COLLATE "C",
    otherFields        TEXT COLLATE "C", -- every other field of the record, as one JSON object
    eventAt            TIMESTAMP,        -- `eventTime` in UTC; NULL if it is no valid time
    identityId         BIGINT,           -- who: `identities.id`
    objectId           BIGINT            -- from which object: `import_objects.number`
);

-- The ledger: one line for each object, committed together with the object's rows.
CREATE TABLE IF NOT EXISTS import_objects (
    id            BYTEA   NOT NULL PRIMARY KEY, -- SHA-256 of folder and URI
    uri           TEXT    NOT NULL,
    version       TEXT    NOT NULL,             -- ETag, or size and mtime
    size_bytes    BIGINT  NOT NULL,             -- stored (compressed) size
    digest        TEXT    NOT NULL,             -- SHA-256 of the stored bytes, in hexadecimal
    outcome       TEXT    NOT NULL,             -- loaded, skipped or failed
    kind          TEXT,                         -- the kind of file, if skipped
    record_count  BIGINT  NOT NULL,             -- records read = rows + rejects + duplicates + filtered
    row_count     BIGINT  NOT NULL,
    reject_count  BIGINT  NOT NULL,
    altered_count BIGINT  NOT NULL,             -- characters replaced by U+FFFD
    reason        TEXT,                         -- why it failed, if it did
    run_id        BIGINT  NOT NULL,
    batch_id      BIGINT  NOT NULL,
    finished_at   TEXT    NOT NULL,             -- RFC 3339, UTC
    number        BIGINT  UNIQUE,               -- `logs.objectId` of its rows
    filters       TEXT,                         -- JSON array: which records are loaded; NULL: all
    filtered_count BIGINT,                      -- records that no filter selects; NULL: none
    content_sha256 TEXT,                        -- SHA-256 of the content in hexadecimal; NULL: not taken
    duplicate_count BIGINT,                     -- rows removed as duplicates; NULL: none
    kept_for      TEXT                          -- numbers of objects that lost rows which this one has
);

-- Records that cannot become rows, with their text.
CREATE TABLE IF NOT EXISTS import_rejects (
    object_id    BYTEA   NOT NULL,
    record_index BIGINT  NOT NULL,              -- position among the object's records, from 0
    offset_bytes BIGINT  NOT NULL,              -- position in the decoded text
    reason       TEXT    NOT NULL,
    record       TEXT    NOT NULL,
    PRIMARY KEY (object_id, record_index)
);

-- One line for each run of `import`.
CREATE TABLE IF NOT EXISTS import_runs (
    id              BIGINT  NOT NULL PRIMARY KEY, -- its start in microseconds since 1970
    started_at      TEXT    NOT NULL,             -- RFC 3339, UTC
    finished_at     TEXT,                         -- NULL: still running, or killed
    program_version TEXT    NOT NULL,
    sources         TEXT    NOT NULL,             -- JSON array
    outcome         TEXT    NOT NULL,             -- running, complete, partial, interrupted, failed
    listed          BIGINT  NOT NULL,
    loaded          BIGINT  NOT NULL,
    already_loaded  BIGINT  NOT NULL,
    skipped         BIGINT  NOT NULL,
    failed          BIGINT  NOT NULL,
    record_count    BIGINT  NOT NULL,
    row_count       BIGINT  NOT NULL,
    reject_count    BIGINT  NOT NULL,
    altered_count   BIGINT  NOT NULL,
    filtered_count  BIGINT,                       -- records that no filter selects; NULL: none
    selection       TEXT,                         -- JSON object: which objects; NULL: all
    shard           TEXT,                         -- K/N, if it imports one of N parts
    job             TEXT                          -- what started all parts, as the engine names it
);
