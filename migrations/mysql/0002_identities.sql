-- Who made the calls: one line for each distinct `userIdentity`, taken apart. Derived values have at most
-- 640 characters; an empty string counts as absent.
CREATE TABLE IF NOT EXISTS identities (
    id              bigint NOT NULL PRIMARY KEY, -- the first 8 bytes of the SHA-256 of user_identity
    user_type       varchar(640), -- "type"
    user_name       varchar(640), -- the best name there is, as the console shows it
    user_arn        varchar(640), -- "arn"
    user_id         varchar(640), -- "principalId"
    user_account_id varchar(640), -- "accountId"
    access_key_id   varchar(640), -- "accessKeyId"
    role_name       varchar(640), -- of the session's issuer
    role_arn        varchar(640), -- of the session's issuer
    session_name    varchar(640), -- what follows `:` in "principalId"
    source_identity varchar(640), -- "sourceIdentity"
    invoked_by      varchar(640), -- "invokedBy"
    mfa             boolean, -- whether the session was authenticated with MFA
    user_identity   longtext NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
