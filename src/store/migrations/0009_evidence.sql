-- What services have on record of the use of links, and what became of the incidents that it made.

CREATE TABLE look (                          -- links of which was asked whether they were used
    share INTEGER PRIMARY KEY REFERENCES share (id) ON DELETE CASCADE,
    until INTEGER,                           -- up to when all that is on record was told; null while it never was
    run INTEGER,                             -- the last run in which it was
    pending TEXT                             -- what the service was asked and has not answered yet, as the adapter says it
) STRICT;

CREATE TABLE incident (                      -- suspected breaches that somebody closed
    id INTEGER PRIMARY KEY,
    finding TEXT NOT NULL,                   -- the key of the finding
    outcome TEXT NOT NULL,
    closed_by TEXT NOT NULL,
    closed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX incident_finding ON incident (finding);

CREATE TABLE link_use (                      -- a record that a link was used: no address, and nobody's name
    share INTEGER NOT NULL REFERENCES share (id) ON DELETE CASCADE,
    record TEXT NOT NULL,                    -- tells it from others of the share
    at INTEGER NOT NULL,                     -- the last time, where it tells of several uses
    origin TEXT NOT NULL,                    -- own, untold or outside
    run INTEGER,                             -- the run that tells of it; null until the next one does
    incident INTEGER REFERENCES incident (id),   -- the incident that it belongs to; null until that is closed
    PRIMARY KEY (share, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_use_open ON link_use (share) WHERE incident IS NULL;
CREATE INDEX link_use_incident ON link_use (incident) WHERE incident IS NOT NULL;
