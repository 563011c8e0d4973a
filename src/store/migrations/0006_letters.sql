-- What people were told: no letter, but that it was sent, and of which finding it told what.

CREATE TABLE letter (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,                -- tells it from all others
    thread TEXT NOT NULL,                    -- the same for the same reader in every night
    reader TEXT NOT NULL,                    -- who reads it: a person, or who stands in
    address TEXT NOT NULL,                   -- where it went
    told TEXT NOT NULL,                      -- owner, manager, fallback or redirected
    instead TEXT,                            -- why it did not go to the owner
    run INTEGER NOT NULL,                    -- the run whose picture it tells
    content TEXT NOT NULL,                   -- a digest of what it says
    began_at INTEGER NOT NULL,
    outcome TEXT,                            -- null while it is being sent
    ended_at INTEGER,
    reply TEXT                               -- what the mail server said
) STRICT;
CREATE INDEX letter_thread ON letter (thread, id);
CREATE INDEX letter_address ON letter (address, id);

CREATE TABLE telling (                       -- what a letter told of a finding
    letter INTEGER NOT NULL REFERENCES letter (id) ON DELETE CASCADE,
    finding TEXT NOT NULL,                   -- its key
    source INTEGER NOT NULL REFERENCES source (id),
    account TEXT,                            -- the id of the account that it was told about, or for
    digest INTEGER NOT NULL,                 -- of how it stood: level, rule, how wide the share was
    due TEXT,                                -- the day on which something will be done, as it was told
    in_full INTEGER NOT NULL,                -- 0: only as one of a number
    offer TEXT,                              -- JSON: what was announced with it, and when that is due
    PRIMARY KEY (letter, finding)
) STRICT, WITHOUT ROWID;
CREATE INDEX telling_finding ON telling (finding, letter);
