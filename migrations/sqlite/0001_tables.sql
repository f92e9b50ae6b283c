-- The tutorial's 16 columns, in its order. Text is stored unchanged. Four columns of ours follow; a
-- `logs` table that lacks them gets them when it is opened.
CREATE TABLE IF NOT EXISTS logs (
    eventVersion       TEXT,
    userIdentity       TEXT,
    eventTime          TEXT,
    eventSource        TEXT,
    eventName          TEXT,
    awsRegion          TEXT,
    sourceIPAddress    TEXT,
    userAgent          TEXT,
    errorCode          TEXT,
    errorMessage       TEXT,
    requestParameters  TEXT,
    responseElements   TEXT,
    requestID          TEXT,
    eventID            TEXT,
    eventType          TEXT,
    recipientAccountId TEXT,
    otherFields        TEXT,    -- every other field of the record, as one JSON object
    eventAt            TEXT,    -- `eventTime` in UTC; NULL if it is no valid time
    identityId         INTEGER, -- who: `identities.id`
    objectId           INTEGER  -- from which object: `import_objects.number`
);

-- The ledger: one line for each object, committed together with the object's rows.
CREATE TABLE IF NOT EXISTS import_objects (
    id            BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of folder and URI
    uri           TEXT    NOT NULL,
    version       TEXT    NOT NULL,             -- ETag, or size and mtime
    size_bytes    INTEGER NOT NULL,             -- stored (compressed) size
    digest        TEXT    NOT NULL,             -- SHA-256 of the stored bytes, in hexadecimal
    outcome       TEXT    NOT NULL,             -- loaded, skipped or failed
    kind          TEXT,                         -- the kind of file, if skipped
    record_count  INTEGER NOT NULL,             -- records read = rows + rejects + duplicates + filtered
    row_count     INTEGER NOT NULL,
    reject_count  INTEGER NOT NULL,
    altered_count INTEGER NOT NULL,             -- characters replaced by U+FFFD
    reason        TEXT,                         -- why it failed, if it did
    run_id        INTEGER NOT NULL,
    batch_id      INTEGER NOT NULL,
    finished_at   TEXT    NOT NULL,             -- RFC 3339, UTC
    number        INTEGER UNIQUE,               -- `logs.objectId` of its rows
    filters       TEXT,                         -- JSON array: which records are loaded; NULL: all
    filtered_count INTEGER,                     -- records that no filter selects; NULL: none
    content_sha256 TEXT,                        -- SHA-256 of the content in hexadecimal; NULL: not taken
    duplicate_count INTEGER,                    -- rows removed as duplicates; NULL: none
    kept_for      TEXT                          -- numbers of objects that lost rows which this one has
) WITHOUT ROWID;

-- Records that cannot become rows, with their text.
CREATE TABLE IF NOT EXISTS import_rejects (
    object_id    BLOB    NOT NULL,
    record_index INTEGER NOT NULL,              -- position among the object's records, from 0
    offset_bytes INTEGER NOT NULL,              -- position in the decoded text
    reason       TEXT    NOT NULL,
    record       TEXT    NOT NULL,
    PRIMARY KEY (object_id, record_index)
) WITHOUT ROWID;

-- One line for each run of `import`.
CREATE TABLE IF NOT EXISTS import_runs (
    id              INTEGER NOT NULL PRIMARY KEY, -- its start in microseconds since 1970
    started_at      TEXT    NOT NULL,             -- RFC 3339, UTC
    finished_at     TEXT,                         -- NULL: still running, or killed
    program_version TEXT    NOT NULL,
    sources         TEXT    NOT NULL,             -- JSON array
    outcome         TEXT    NOT NULL,             -- running, complete, partial, interrupted, failed
    listed          INTEGER NOT NULL,
    loaded          INTEGER NOT NULL,
    already_loaded  INTEGER NOT NULL,
    skipped         INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    record_count    INTEGER NOT NULL,
    row_count       INTEGER NOT NULL,
    reject_count    INTEGER NOT NULL,
    altered_count   INTEGER NOT NULL,
    filtered_count  INTEGER,                      -- records that no filter selects; NULL: none
    selection       TEXT,                         -- JSON object: which objects; NULL: all
    shard           TEXT,                         -- K/N, if it imports one of N parts
    job             TEXT                          -- what started all parts, as the engine names it
);
