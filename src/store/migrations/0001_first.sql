-- The ledger: what was read, what was found, run by run. Times are seconds since 1970 (UTC).
-- A version is valid from its from_run up to, not including, its to_run.

CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL
) STRICT;

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,               -- the id in reports
    started_at INTEGER NOT NULL,
    finished_at INTEGER,                    -- null while it runs, and for ever if it was killed
    verdict TEXT,
    scope TEXT NOT NULL,                    -- JSON: what it was asked to read
    policy TEXT NOT NULL,                   -- JSON: digest and counts of the policy it judged by
    baseline INTEGER NOT NULL DEFAULT 0,
    totals TEXT,                            -- JSON: sums over its findings
    notices TEXT                            -- JSON: waivers and gaps that lapse or match nothing
) STRICT;

CREATE TABLE run_source (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    source INTEGER NOT NULL REFERENCES source (id),
    complete INTEGER NOT NULL DEFAULT 0,    -- 1 once the source was read whole
    summary TEXT,                           -- JSON: verdict, accounts, requests, control totals
    PRIMARY KEY (run, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE problem (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    source INTEGER NOT NULL REFERENCES source (id),
    scope TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX problem_run ON problem (run, source);

CREATE TABLE principal (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    class TEXT NOT NULL,
    key TEXT NOT NULL,                      -- the service's own id
    name TEXT,
    email TEXT,
    guest INTEGER,
    active INTEGER,
    gone INTEGER NOT NULL DEFAULT 0,
    signed_in INTEGER,
    groups TEXT,                            -- JSON: ids of the groups it is in
    members INTEGER,
    zone TEXT,
    language TEXT,
    told_run INTEGER,                       -- the run in which the service last told of it itself
    UNIQUE (source, class, key)
) STRICT;

CREATE TABLE scope (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    key TEXT NOT NULL,
    account INTEGER REFERENCES principal (id),
    listed_run INTEGER NOT NULL,
    UNIQUE (source, key)
) STRICT;

CREATE TABLE coverage (
    scope INTEGER PRIMARY KEY REFERENCES scope (id) ON DELETE CASCADE,
    run INTEGER NOT NULL,                   -- the run that last tried to read it
    outcome TEXT NOT NULL,
    read_at INTEGER,                        -- when it was last read to its end
    searched_at INTEGER,                    -- when its home was last searched for shared nodes
    searched_run INTEGER                    -- and in which run
) STRICT;

CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    drive TEXT NOT NULL DEFAULT '',
    key TEXT NOT NULL,
    size INTEGER,
    labels TEXT,                            -- JSON: found by looking at tags and beneath; null while nobody looked
    labels_complete INTEGER NOT NULL DEFAULT 0,
    labels_policy TEXT,                     -- digest of the classes they were looked up under
    files_beneath INTEGER,
    UNIQUE (source, drive, key)
) STRICT;

CREATE TABLE share (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    key TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    read_run INTEGER NOT NULL,
    read_at INTEGER NOT NULL,
    read_scope TEXT,                        -- the scope through which it was last read
    confirmed_at INTEGER,
    UNIQUE (source, key)
) STRICT;

CREATE TABLE share_version (
    share INTEGER NOT NULL REFERENCES share (id) ON DELETE CASCADE,
    from_run INTEGER NOT NULL,
    to_run INTEGER,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    anonymous INTEGER NOT NULL,
    owner INTEGER NOT NULL REFERENCES principal (id),
    shared_by INTEGER REFERENCES principal (id),
    item INTEGER NOT NULL REFERENCES item (id),
    body TEXT,                              -- JSON: everything else; null where only the digest is kept
    judged TEXT,                            -- JSON: audience, classification and kinds, as last judged
    PRIMARY KEY (share, from_run)
) STRICT, WITHOUT ROWID;
CREATE INDEX share_version_owner ON share_version (owner, share) WHERE to_run IS NULL;
CREATE INDEX share_version_shared_by ON share_version (shared_by) WHERE to_run IS NULL;

CREATE TABLE finding (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    source INTEGER NOT NULL REFERENCES source (id),
    share INTEGER REFERENCES share (id) ON DELETE CASCADE,  -- null for one about a source's settings
    rule TEXT NOT NULL,
    first_run INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,               -- when it was last seen
    checked_at INTEGER NOT NULL             -- when it was last looked for
) STRICT;
CREATE INDEX finding_share ON finding (share);

CREATE TABLE finding_version (
    finding INTEGER NOT NULL REFERENCES finding (id) ON DELETE CASCADE,
    from_run INTEGER NOT NULL,
    to_run INTEGER,
    status TEXT NOT NULL,                   -- `new` is not stored: it is `open` in the finding's first run
    level TEXT NOT NULL,
    body TEXT NOT NULL,                     -- JSON: message, remedy, waiver, and the share as it was judged
    PRIMARY KEY (finding, from_run)
) STRICT, WITHOUT ROWID;
