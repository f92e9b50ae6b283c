-- Who made the calls: one line for each distinct `userIdentity`, taken apart. Derived values have at most
-- 640 characters; an empty string counts as absent.
CREATE TABLE IF NOT EXISTS identities (
    id              BIGINT NOT NULL PRIMARY KEY, -- the first 8 bytes of the SHA-256 of user_identity
    user_type       TEXT COLLATE "C", -- "type"
    user_name       TEXT COLLATE "C", -- the best name there is, as the console shows it
    user_arn        TEXT COLLATE "C", -- "arn"
    user_id         TEXT COLLATE "C", -- "principalId"
    user_account_id TEXT COLLATE "C", -- "accountId"
    access_key_id   TEXT COLLATE "C", -- "accessKeyId"
    role_name       TEXT COLLATE "C", -- of the session's issuer
    role_arn        TEXT COLLATE "C", -- of the session's issuer
    session_name    TEXT COLLATE "C", -- what follows `:` in "principalId"
    source_identity TEXT COLLATE "C", -- "sourceIdentity"
    invoked_by      TEXT COLLATE "C", -- "invokedBy"
    mfa             BOOLEAN, -- whether the session was authenticated with MFA
    user_identity   TEXT COLLATE "C" NOT NULL
);
