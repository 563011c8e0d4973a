-- What lasts from night to night: how far each scope was read, what once protected a share, and what people decided.

ALTER TABLE source ADD COLUMN rules TEXT;                    -- digest of what shares are judged by
ALTER TABLE source ADD COLUMN rules_since INTEGER;           -- when they were first judged by it
ALTER TABLE principal ADD COLUMN changed_run INTEGER;        -- the run in which it was last found to be gone or back, disabled or enabled
ALTER TABLE share ADD COLUMN missing_run INTEGER;            -- the run that listed its place without it; null while it is there
ALTER TABLE share ADD COLUMN had_password INTEGER NOT NULL DEFAULT 0;   -- whether any reading had one
ALTER TABLE share ADD COLUMN had_expiry INTEGER NOT NULL DEFAULT 0;
UPDATE share SET
    had_password = EXISTS (SELECT 1 FROM share_version v WHERE v.share = share.id AND json_extract(v.body, '$.p') = 1),
    had_expiry = EXISTS (SELECT 1 FROM share_version v WHERE v.share = share.id AND json_type(v.body, '$.e.At') = 'object');
ALTER TABLE share ADD COLUMN confirmed_by TEXT;              -- who looked at it, at confirmed_at
ALTER TABLE finding_version ADD COLUMN seen_at INTEGER;      -- when it was last seen, of one that was not seen in from_run
ALTER TABLE run_source ADD COLUMN told_by INTEGER;           -- the run that tells what this one changed: itself, or the next one where it never ended
UPDATE run_source SET told_by = run;
ALTER TABLE finding ADD COLUMN baseline INTEGER NOT NULL DEFAULT 0;     -- 1: found before its source was once read whole, and not released
UPDATE finding SET baseline = 1 WHERE NOT EXISTS (
    SELECT 1 FROM run_source r WHERE r.source = finding.source AND r.complete = 1 AND r.run < finding.first_run);
CREATE INDEX share_version_item ON share_version (item) WHERE to_run IS NULL;

CREATE TABLE checkpoint (                    -- what an adapter remembers of a scope, to go on there
    scope INTEGER PRIMARY KEY REFERENCES scope (id) ON DELETE CASCADE,
    run INTEGER NOT NULL,                    -- the run that wrote it
    begun_run INTEGER,                       -- the run that began the enumeration that it goes on with; null once that ended
    parts INTEGER NOT NULL,                  -- how many items it lists one by one
    waiting INTEGER NOT NULL,                -- how many of them are still to be listed
    oldest INTEGER                           -- when the one was listed that was not listed for the longest time
) STRICT;

CREATE TABLE checkpoint_piece (              -- what it holds, in pieces: each is copied as it is written
    scope INTEGER NOT NULL REFERENCES checkpoint (scope) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (scope, place)
) STRICT;

CREATE TABLE waiver (                        -- made by the command; those of the configuration are not here
    id INTEGER PRIMARY KEY,
    finding TEXT NOT NULL,                   -- the key of the finding
    reason TEXT NOT NULL,
    approved_by TEXT NOT NULL,
    until TEXT NOT NULL,                     -- the last day on which it holds
    made_at INTEGER NOT NULL,
    replaced_at INTEGER                      -- when another was made for the finding; null while it counts
) STRICT;
CREATE INDEX waiver_finding ON waiver (finding) WHERE replaced_at IS NULL;

CREATE TABLE acceptance (                    -- how a finding stood when a waiver first covered it
    finding INTEGER NOT NULL REFERENCES finding (id) ON DELETE CASCADE,
    waiver TEXT NOT NULL,                    -- tells the waiver from others, wherever it is written
    level TEXT NOT NULL,
    breadth TEXT NOT NULL,                   -- JSON: who could do what then; null for one about a source's settings
    ended_at INTEGER,                        -- when the waiver ceased to cover it, for good; null while it does
    ended TEXT,                              -- what had grown, in words
    PRIMARY KEY (finding, waiver)
) STRICT, WITHOUT ROWID;
