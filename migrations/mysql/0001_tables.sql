-- The tutorial's 16 columns, in its order, then five of ours, which `SELECT *` and an INSERT without a
-- list of columns do not see (MySQL from 8.0.23, MariaDB from 10.3). A `logs` table that lacks the
-- first four of the five gets them when it is opened.
--
-- InnoDB can index 3,072 bytes, 768 characters of utf8mb4. Indexed columns have one character less, so
-- that the key of a partition fits beside one. The exceptions are the two columns that share an index,
-- and two in which CloudTrail writes up to 1,024 characters. The binary collation distinguishes upper
-- and lower case, as in the other databases.
CREATE TABLE IF NOT EXISTS logs (
    eventVersion       varchar(767),
    userIdentity       longtext,
    eventTime          varchar(767),
    eventSource        varchar(384),
    eventName          varchar(384),
    awsRegion          varchar(767),
    sourceIPAddress    varchar(767),
    userAgent          mediumtext,
    errorCode          varchar(1024),
    errorMessage       mediumtext,
    requestParameters  longtext,
    responseElements   longtext,
    requestID          varchar(1024),
    eventID            varchar(767),
    eventType          varchar(767),
    recipientAccountId varchar(767),
    -- Every other field of the record, as one JSON object.
    otherFields        longtext /*!80023 INVISIBLE */ /*M!100303 INVISIBLE */,
    -- `eventTime` in UTC; NULL if it is no valid time.
    eventAt            datetime /*!80023 INVISIBLE */ /*M!100303 INVISIBLE */,
    -- Who: `identities.id`.
    identityId         bigint /*!80023 INVISIBLE */ /*M!100303 INVISIBLE */,
    -- From which object: `import_objects.number`.
    objectId           bigint /*!80023 INVISIBLE */ /*M!100303 INVISIBLE */,
    -- Clusters and managed servers demand a key; InnoDB has a hidden one otherwise.
    id                 bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY /*!80023 INVISIBLE */ /*M!100303 INVISIBLE */
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The ledger: one line for each object, committed together with the object's rows.
CREATE TABLE IF NOT EXISTS import_objects (
    id            binary(32)   NOT NULL PRIMARY KEY, -- SHA-256 of folder and URI
    uri           text         NOT NULL,
    version       varchar(255) NOT NULL,             -- ETag, or size and mtime
    size_bytes    bigint       NOT NULL,             -- stored (compressed) size
    digest        varchar(64)  NOT NULL,             -- SHA-256 of the stored bytes, in hexadecimal
    outcome       varchar(16)  NOT NULL,             -- loaded, skipped or failed
    kind          varchar(32),                    -- the kind of file, if skipped
    record_count  bigint       NOT NULL,             -- records read = rows + rejects + duplicates + filtered
    row_count     bigint       NOT NULL,
    reject_count  bigint       NOT NULL,
    altered_count bigint       NOT NULL,             -- characters replaced by U+FFFD
    reason        mediumtext,                    -- why it failed, if it did
    run_id        bigint       NOT NULL,
    batch_id      bigint       NOT NULL,
    finished_at   varchar(40)  NOT NULL,             -- RFC 3339, UTC
    number        bigint UNIQUE,                     -- `logs.objectId` of its rows
    filters       longtext,                          -- JSON array: which records are loaded; NULL: all
    filtered_count bigint,                           -- records that no filter selects; NULL: none
    content_sha256 char(64),                         -- SHA-256 of the content in hexadecimal; NULL: not taken
    duplicate_count bigint,                          -- rows removed as duplicates; NULL: none
    kept_for      longtext                           -- numbers of objects that lost rows which this one has
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Records that cannot become rows, with their text.
CREATE TABLE IF NOT EXISTS import_rejects (
    object_id    binary(32)   NOT NULL,
    record_index bigint       NOT NULL,              -- position among the object's records, from 0
    offset_bytes bigint       NOT NULL,              -- position in the decoded text
    reason       mediumtext   NOT NULL,
    record       longtext     NOT NULL,
    PRIMARY KEY (object_id, record_index)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One line for each run of `import`.
CREATE TABLE IF NOT EXISTS import_runs (
    id              bigint       NOT NULL PRIMARY KEY, -- its start in microseconds since 1970
    started_at      varchar(40)  NOT NULL,             -- RFC 3339, UTC
    finished_at     varchar(40),                   -- NULL: still running, or killed
    program_version varchar(40)  NOT NULL,
    sources         mediumtext   NOT NULL,             -- JSON array
    outcome         varchar(16)  NOT NULL,             -- running, complete, partial, interrupted, failed
    listed          bigint       NOT NULL,
    loaded          bigint       NOT NULL,
    already_loaded  bigint       NOT NULL,
    skipped         bigint       NOT NULL,
    failed          bigint       NOT NULL,
    record_count    bigint       NOT NULL,
    row_count       bigint       NOT NULL,
    reject_count    bigint       NOT NULL,
    altered_count   bigint       NOT NULL,
    filtered_count  bigint,                            -- records that no filter selects; NULL: none
    selection       mediumtext,                        -- JSON object: which objects; NULL: all
    shard           varchar(40),                       -- K/N, if it imports one of N parts
    job             mediumtext                         -- what started all parts, as the engine names it
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
