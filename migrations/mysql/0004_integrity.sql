-- The digests of CloudTrail that `verify` has judged, one line for each. What was proven once is kept here, so
-- that a digest which is deleted later is reported.
CREATE TABLE IF NOT EXISTS import_digests (
    id                 binary(32) NOT NULL PRIMARY KEY, -- SHA-256 of folder and URI
    uri                text NOT NULL,
    account_id         varchar(64) NOT NULL,
    region             varchar(64) NOT NULL,
    trail              text,
    home_region        varchar(64),
    is_backfill        bigint NOT NULL,                 -- 1 for a digest that CloudTrail made later
    start_time         varchar(64),                     -- RFC 3339, UTC: log files delivered from then on
    end_time           varchar(64),                     -- until then
    state              varchar(64) NOT NULL,            -- proven, or why not
    verified_by        varchar(64),                     -- where the signature was found: metadata, successor or database
    reason             text,                            -- why it could not be read, or which digest names another content
    content_sha256     char(64),                        -- of its content, in hexadecimal
    signature          text,                            -- that verified it, in hexadecimal
    previous_bucket    text,                            -- the digest that it names as the one before
    previous_key       text,
    named_count        bigint NOT NULL,                 -- log files that it names, if it is proven
    proven_count       bigint NOT NULL,                 -- loaded with the content that it names
    changed_count      bigint NOT NULL,                 -- loaded with another content
    not_loaded_count   bigint NOT NULL,                 -- failed or skipped in the import
    not_imported_count bigint NOT NULL,                 -- in the source, but not in the ledger
    gone_count         bigint NOT NULL,                 -- in neither
    not_hashed_count   bigint NOT NULL,                 -- the content was not compared
    proofs             longtext,                        -- 32 hexadecimal digits for each of its files, if all are proven
    verified_at        varchar(64) NOT NULL,            -- RFC 3339, UTC
    missing_since      varchar(64)                      -- since when the source no longer has it; NULL: it has it
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What is proven of each account, region and day, as `verify` has judged it last.
CREATE TABLE IF NOT EXISTS import_coverage (
    id                      binary(32) NOT NULL PRIMARY KEY, -- SHA-256 of the folder of the account, region and day
    folder                  text NOT NULL,                   -- the URI of the account's folder
    account_id              varchar(64) NOT NULL,
    region                  varchar(64) NOT NULL,
    day                     varchar(64) NOT NULL,            -- the day folder
    seconds                 bigint NOT NULL,                 -- of the day, between the first and the last digest or log file
    proven_seconds          bigint NOT NULL,                 -- those that proven digests cover
    digest_count            bigint NOT NULL,                 -- digests that the source has
    proven_digest_count     bigint NOT NULL,
    unproven_digest_count   bigint NOT NULL,                 -- without signature or known key
    wrong_digest_count      bigint NOT NULL,
    unreadable_digest_count bigint NOT NULL,
    deleted_digest_count    bigint NOT NULL,                 -- stored earlier, and no longer in the source
    named_count             bigint NOT NULL,                 -- log files that proven digests name
    proven_count            bigint NOT NULL,
    changed_count           bigint NOT NULL,
    not_loaded_count        bigint NOT NULL,
    not_imported_count      bigint NOT NULL,
    gone_count              bigint NOT NULL,
    not_hashed_count        bigint NOT NULL,
    pending_count           bigint NOT NULL,                 -- loaded log files that no digest names: too new
    unproven_count          bigint NOT NULL,                 -- of a time that no proven digest covers
    unexpected_count        bigint NOT NULL,                 -- of a proven time
    other_family_count      bigint NOT NULL,                 -- Insights and others
    verified_at             varchar(64) NOT NULL             -- RFC 3339, UTC
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
