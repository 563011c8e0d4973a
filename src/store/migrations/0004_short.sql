-- The same in a third of the room. A drive, an item and a text that many rows have in common are kept once; long ids are
-- looked up by a short tag of them, and are compared where the tag is the same; digests are numbers.
-- tag_of, number_of and values_of are functions of the program: see migrations.rs.

CREATE TABLE place (                         -- a drive, or what else shares are read through
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    key TEXT NOT NULL,
    UNIQUE (source, key)
) STRICT;
INSERT INTO place (source, key)
    SELECT source, drive FROM item WHERE drive <> ''
    UNION SELECT source, read_scope FROM share WHERE read_scope IS NOT NULL;

CREATE TABLE note (                          -- what many findings and judgements say in the same words
    id INTEGER PRIMARY KEY,
    tag INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX note_tag ON note (tag);
INSERT INTO note (tag, text)
    SELECT tag_of(0, text), text FROM (
        SELECT judged AS text FROM share_version WHERE judged IS NOT NULL UNION SELECT body FROM finding_version);

CREATE TABLE new_item (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    place INTEGER REFERENCES place (id),     -- its drive; null where the service has none
    tag INTEGER NOT NULL,
    key TEXT NOT NULL,
    size INTEGER,
    labels TEXT,                             -- JSON: found by looking at tags and beneath; null while nobody looked
    labels_complete INTEGER NOT NULL DEFAULT 0,
    labels_policy TEXT,                      -- digest of the classes they were looked up under
    labels_run INTEGER,                      -- the run in which they were looked up
    labels_due INTEGER NOT NULL DEFAULT 0,   -- 1: others may be found by asking
    files_beneath INTEGER
) STRICT;
INSERT INTO new_item
    SELECT i.id, i.source, p.id, tag_of(COALESCE(p.id, i.source), i.key), i.key, i.size, i.labels, i.labels_complete,
           i.labels_policy, i.labels_run, 0, i.files_beneath
    FROM item i LEFT JOIN place p ON p.source = i.source AND p.key = i.drive ORDER BY i.id;

CREATE TABLE new_share (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    item INTEGER REFERENCES item (id),       -- its item, where that lies in a drive
    follows INTEGER NOT NULL,                -- 1: its id is the drive's, the item's and the key, with slashes between
    tag INTEGER NOT NULL,
    key TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    read_run INTEGER NOT NULL,
    read_at INTEGER NOT NULL,
    read_place INTEGER REFERENCES place (id),   -- through which it was last read
    missing_run INTEGER,                     -- the run that listed its place without it; null while it is there
    doubted_run INTEGER,                     -- the run that last could not list its item
    had_password INTEGER NOT NULL DEFAULT 0, -- whether any reading had one
    had_expiry INTEGER NOT NULL DEFAULT 0,
    confirmed_at INTEGER,
    confirmed_by TEXT                        -- who looked at it, at confirmed_at
) STRICT;
INSERT INTO new_share
    SELECT s.id, s.source, CASE WHEN s.drive <> '' THEN s.item END, s.follows,
           tag_of(CASE WHEN s.follows THEN (SELECT p.id FROM place p WHERE p.source = s.source AND p.key = s.drive)
                  ELSE s.source END, s.key),
           CASE WHEN s.follows THEN substr(s.key, length(s.drive) + length(s.item_key) + 3) ELSE s.key END,
           s.first_at, s.read_run, s.read_at,
           (SELECT p.id FROM place p WHERE p.source = s.source AND p.key = s.read_scope),
           s.missing_run, NULL, s.had_password, s.had_expiry, s.confirmed_at, s.confirmed_by
    FROM (SELECT s.*, i.id AS item, i.drive, i.key AS item_key,
              COALESCE(i.drive <> '' AND substr(s.key, 1, length(i.drive) + length(i.key) + 2)
                  = i.drive || '/' || i.key || '/', 0) AS follows
          FROM share s LEFT JOIN item i ON i.id = (
              SELECT v.item FROM share_version v WHERE v.share = s.id ORDER BY v.from_run DESC LIMIT 1)
          ORDER BY s.id) s;

CREATE TABLE new_share_version (
    share INTEGER NOT NULL REFERENCES share (id) ON DELETE CASCADE,
    from_run INTEGER NOT NULL,
    to_run INTEGER,
    digest INTEGER NOT NULL,
    kind TEXT NOT NULL,
    anonymous INTEGER NOT NULL,
    owner INTEGER NOT NULL REFERENCES principal (id),
    shared_by INTEGER REFERENCES principal (id),
    item INTEGER NOT NULL REFERENCES item (id),
    body TEXT,                               -- JSON: everything else; null where only the digest is kept
    judged INTEGER REFERENCES note (id),     -- audience, classification and kinds, as last judged
    PRIMARY KEY (share, from_run)
) STRICT, WITHOUT ROWID;
INSERT INTO new_share_version
    SELECT share, from_run, to_run, number_of(digest), kind, anonymous, owner, shared_by, item, values_of(body),
           (SELECT n.id FROM note n WHERE n.tag = tag_of(0, judged) AND n.text = judged)
    FROM share_version ORDER BY share, from_run;

ALTER TABLE finding_version ADD COLUMN note INTEGER REFERENCES note (id);   -- message, remedy, waiver, how it was judged
UPDATE finding_version SET note = (SELECT n.id FROM note n WHERE n.tag = tag_of(0, body) AND n.text = body);
ALTER TABLE finding_version DROP COLUMN body;

ALTER TABLE coverage ADD COLUMN followed_run INTEGER;    -- the run that last read it but for some items that it could not list

DROP TABLE share_version;
DROP TABLE share;
DROP TABLE item;
ALTER TABLE new_item RENAME TO item;
ALTER TABLE new_share RENAME TO share;
ALTER TABLE new_share_version RENAME TO share_version;

CREATE INDEX item_tag ON item (tag);
CREATE INDEX share_tag ON share (tag);
CREATE INDEX share_item ON share (item) WHERE item IS NOT NULL;
CREATE INDEX share_version_owner ON share_version (owner, share) WHERE to_run IS NULL;

-- The run in which something last named it: one that no kept run names can be forgotten.
ALTER TABLE principal ADD COLUMN named_run INTEGER;
UPDATE principal SET named_run = (SELECT max(id) FROM run);
