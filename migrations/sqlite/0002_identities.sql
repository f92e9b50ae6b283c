-- Who made the calls: one line for each distinct `userIdentity`, taken apart. Derived values have at most
-- 640 characters; an empty string counts as absent.
CREATE TABLE IF NOT EXISTS identities (
    id              INTEGER NOT NULL PRIMARY KEY, -- the first 8 bytes of the SHA-256 of user_identity
    user_type       TEXT, -- "type"
    user_name       TEXT, -- the best name there is, as the console shows it
    user_arn        TEXT, -- "arn"
    user_id         TEXT, -- "principalId"
    user_account_id TEXT, -- "accountId"
    access_key_id   TEXT, -- "accessKeyId"
    role_name       TEXT, -- of the session's issuer
    role_arn        TEXT, -- of the session's issuer
    session_name    TEXT, -- what follows `:` in "principalId"
    source_identity TEXT, -- "sourceIdentity"
    invoked_by      TEXT, -- "invokedBy"
    mfa             INTEGER, -- whether the session was authenticated with MFA
    user_identity   TEXT NOT NULL
);
