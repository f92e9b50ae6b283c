-- The digests of CloudTrail that `verify` has judged, one line for each. What was proven once is kept here, so
-- that a digest which is deleted later is reported.
CREATE TABLE IF NOT EXISTS import_digests (
    id                 BLOB NOT NULL PRIMARY KEY,       -- SHA-256 of folder and URI
    uri                TEXT NOT NULL,
    account_id         TEXT NOT NULL,
    region             TEXT NOT NULL,
    trail              TEXT,
    home_region        TEXT,
    is_backfill        INTEGER NOT NULL,                -- 1 for a digest that CloudTrail made later
    start_time         TEXT,                            -- RFC 3339, UTC: log files delivered from then on
    end_time           TEXT,                            -- until then
    state              TEXT NOT NULL,                   -- proven, or why not
    verified_by        TEXT,                            -- where the signature was found: metadata, successor or database
    reason             TEXT,                            -- why it could not be read, or which digest names another content
    content_sha256     TEXT,                            -- of its content, in hexadecimal
    signature          TEXT,                            -- that verified it, in hexadecimal
    previous_bucket    TEXT,                            -- the digest that it names as the one before
    previous_key       TEXT,
    named_count        INTEGER NOT NULL,                -- log files that it names, if it is proven
    proven_count       INTEGER NOT NULL,                -- loaded with the content that it names
    changed_count      INTEGER NOT NULL,                -- loaded with another content
    not_loaded_count   INTEGER NOT NULL,                -- failed or skipped in the import
    not_imported_count INTEGER NOT NULL,                -- in the source, but not in the ledger
    gone_count         INTEGER NOT NULL,                -- in neither
    not_hashed_count   INTEGER NOT NULL,                -- the content was not compared
    proofs             TEXT,                            -- 32 hexadecimal digits for each of its files, if all are proven
    verified_at        TEXT NOT NULL,                   -- RFC 3339, UTC
    missing_since      TEXT                             -- since when the source no longer has it; NULL: it has it
) WITHOUT ROWID;

-- What is proven of each account, region and day, as `verify` has judged it last.
CREATE TABLE IF NOT EXISTS import_coverage (
    id                      BLOB NOT NULL PRIMARY KEY,       -- SHA-256 of the folder of the account, region and day
    folder                  TEXT NOT NULL,                   -- the URI of the account's folder
    account_id              TEXT NOT NULL,
    region                  TEXT NOT NULL,
    day                     TEXT NOT NULL,                   -- the day folder
    seconds                 INTEGER NOT NULL,                -- of the day, between the first and the last digest or log file
    proven_seconds          INTEGER NOT NULL,                -- those that proven digests cover
    digest_count            INTEGER NOT NULL,                -- digests that the source has
    proven_digest_count     INTEGER NOT NULL,
    unproven_digest_count   INTEGER NOT NULL,                -- without signature or known key
    wrong_digest_count      INTEGER NOT NULL,
    unreadable_digest_count INTEGER NOT NULL,
    deleted_digest_count    INTEGER NOT NULL,                -- stored earlier, and no longer in the source
    named_count             INTEGER NOT NULL,                -- log files that proven digests name
    proven_count            INTEGER NOT NULL,
    changed_count           INTEGER NOT NULL,
    not_loaded_count        INTEGER NOT NULL,
    not_imported_count      INTEGER NOT NULL,
    gone_count              INTEGER NOT NULL,
    not_hashed_count        INTEGER NOT NULL,
    pending_count           INTEGER NOT NULL,                -- loaded log files that no digest names: too new
    unproven_count          INTEGER NOT NULL,                -- of a time that no proven digest covers
    unexpected_count        INTEGER NOT NULL,                -- of a proven time
    other_family_count      INTEGER NOT NULL,                -- Insights and others
    verified_at             TEXT NOT NULL                    -- RFC 3339, UTC
) WITHOUT ROWID;
