-- Who stands above whom, and how what was told stood, so that only what grew is told as news.

ALTER TABLE principal ADD COLUMN manager TEXT;               -- the id of an account's manager; empty: the directory names none
ALTER TABLE telling DROP COLUMN digest;
ALTER TABLE telling ADD COLUMN stood TEXT;                   -- JSON: its level, and how wide the share was; recipients as digests
