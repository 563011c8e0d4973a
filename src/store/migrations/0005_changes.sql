-- What is changed: what plans propose, what was announced, and what was done, line by line.

ALTER TABLE source ADD COLUMN facts TEXT;    -- JSON: what is known of it as a whole, as a scan last read it
ALTER TABLE run ADD COLUMN journal_head TEXT;    -- the journal's last hash when it was finished; null while nothing was changed

CREATE TABLE journal (                       -- who changed what: lines are added, and stay as they are
    seq INTEGER PRIMARY KEY,                 -- 1, 2, 3, …
    entry TEXT NOT NULL,                     -- JSON: ids only
    hash TEXT NOT NULL,                      -- SHA-256 over the hash before (64 zeros before the first), seq and entry, a line feed between
    run TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(entry) THEN entry ->> '$.run' END) VIRTUAL,
    action TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(entry) THEN entry ->> '$.action' END) VIRTUAL,
    source TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(entry) THEN entry ->> '$.source' END) VIRTUAL,
    event TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(entry) THEN entry ->> '$.event' END) VIRTUAL,
    plan TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(entry) THEN entry ->> '$.plan' END) VIRTUAL
) STRICT;
CREATE INDEX journal_run ON journal (run);
CREATE INDEX journal_action ON journal (action) WHERE action IS NOT NULL;
CREATE INDEX journal_source ON journal (source, event) WHERE source IS NOT NULL;
CREATE INDEX journal_plan ON journal (plan) WHERE plan IS NOT NULL;
CREATE TRIGGER journal_update BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is only ever added to'); END;
CREATE TRIGGER journal_delete BEFORE DELETE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is only ever added to'); END;
-- One that replaces another deletes it without a word.
CREATE TRIGGER journal_insert BEFORE INSERT ON journal WHEN new.seq <= (SELECT COALESCE(max(seq), 0) FROM journal)
    BEGIN SELECT RAISE(ABORT, 'the journal is only ever added to'); END;

CREATE TABLE plan (                          -- what was proposed
    id TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    digest TEXT NOT NULL,
    body TEXT NOT NULL                       -- JSON: all of it
) STRICT, WITHOUT ROWID;

CREATE TABLE announcement (                  -- what an owner was told will be done to a share
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    share INTEGER NOT NULL REFERENCES share (id) ON DELETE CASCADE,
    finding TEXT NOT NULL,                   -- the key of the finding that it puts right
    action TEXT NOT NULL,                    -- JSON: what will be done, and what the share must be like
    letter TEXT NOT NULL,                    -- the letter that told of it
    announced_at INTEGER NOT NULL,
    announced_run INTEGER NOT NULL,          -- the first run whose report tells of it
    due_at INTEGER NOT NULL,
    reminded_at INTEGER,
    ended_at INTEGER,                        -- null while it stands
    ended_run INTEGER,                       -- the first run whose report no longer tells of it
    ended TEXT,                              -- done or cancelled
    why TEXT                                 -- in our own words
) STRICT;
CREATE UNIQUE INDEX announcement_open ON announcement (share) WHERE ended_at IS NULL;
CREATE TABLE announcement_due (              -- when it was due before that was postponed
    announcement INTEGER NOT NULL REFERENCES announcement (id) ON DELETE CASCADE,
    to_run INTEGER NOT NULL,                 -- the first run whose report tells of another
    due_at INTEGER NOT NULL,
    PRIMARY KEY (announcement, to_run)
) STRICT, WITHOUT ROWID;
CREATE INDEX announcement_share ON announcement (share, announced_run);
