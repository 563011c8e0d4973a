-- What was written for other programs, and how the last night ended.

ALTER TABLE run ADD COLUMN exported INTEGER NOT NULL DEFAULT 0;     -- 1: its events are in the file of events
ALTER TABLE letter ADD COLUMN exported INTEGER;                     -- the ended_at that the file of events tells
CREATE TABLE export (                        -- how far a file has come
    what TEXT PRIMARY KEY,                   -- journal
    seq INTEGER NOT NULL                     -- the last line that is in it
) STRICT, WITHOUT ROWID;

CREATE TABLE night (                         -- the unattended job, as it last ended
    id INTEGER PRIMARY KEY CHECK (id = 1),
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    exit INTEGER NOT NULL,                   -- the number that the operating system was told
    exports TEXT NOT NULL,                   -- JSON: each export, and whether it was written
    succeeded_at INTEGER                     -- when it last ended with nothing left undone
) STRICT;
