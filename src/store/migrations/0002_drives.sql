-- Sources with drives: who answers for a site, groups with members from outside, and labels told while reading.

ALTER TABLE principal ADD COLUMN outsiders INTEGER;          -- members of a group that are from outside
ALTER TABLE principal ADD COLUMN answered_by TEXT;           -- JSON: addresses or ids of those who answer for a site
ALTER TABLE item ADD COLUMN labels_run INTEGER;              -- the run in which its labels were looked up
