CREATE TABLE parent (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY COMMENT 'the key; it''s "one"',
  name varchar(100) NOT NULL DEFAULT 'it''s \\ "x"', mood enum('sad','ok','it''s, "great"','größer','') DEFAULT 'ok',
  price decimal(10,2) CHECK (price >= 0), CONSTRAINT name_length CHECK (char_length(name) > 1), UNIQUE KEY name (name)
) ENGINE=InnoDB AUTO_INCREMENT=1000 COMMENT='a ''comment''
-- on two lines; /*!40101 not a hint */';
--;;
INSERT INTO parent (id, name, mood, price) VALUES (1, 'one', 'sad', 0), (2, 'two', '', 99999999.99), (7, 'it''s', NULL, NULL);
--;;
CREATE TABLE child (
  id bigint NOT NULL PRIMARY KEY, parent_id int unsigned, other_id bigint,
  CONSTRAINT child_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE SET NULL,
  CONSTRAINT child_child FOREIGN KEY (other_id) REFERENCES child (id)
);
--;;
INSERT INTO child VALUES (3, 1, NULL), (1, 2, 3), (2, NULL, 1);
--;;
CREATE TABLE hen (id int PRIMARY KEY, egg_id int NOT NULL);
--;;
CREATE TABLE egg (id int PRIMARY KEY, hen_id int NOT NULL, CONSTRAINT egg_hen FOREIGN KEY (hen_id) REFERENCES hen (id));
--;;
ALTER TABLE hen ADD CONSTRAINT hen_egg FOREIGN KEY (egg_id) REFERENCES egg (id);
--;;
SET foreign_key_checks = 0;
--;;
INSERT INTO hen SELECT seq, seq % 10 + 1 FROM seq_1_to_10;
--;;
INSERT INTO egg SELECT seq, seq FROM seq_1_to_10;
--;;
SET foreign_key_checks = 1;
--;;
CREATE TABLE generated_columns (
  id int PRIMARY KEY, width int NOT NULL, secret int INVISIBLE DEFAULT 42, hidden_text varchar(10) INVISIBLE,
  doubled int GENERATED ALWAYS AS (width * 2) VIRTUAL, area int GENERATED ALWAYS AS (width * width) STORED,
  made varchar(64) DEFAULT (concat('made ', lower('X'))), document json DEFAULT json_object('a', 1), name varchar(20) GENERATED ALWAYS AS (json_value(document, '$.name')) VIRTUAL,
  changed timestamp(6) NOT NULL DEFAULT '2020-01-01 00:00:00' ON UPDATE current_timestamp(6), KEY doubled (doubled), KEY name (name)
);
--;;
INSERT INTO generated_columns (id, width, secret, document) VALUES (1, 3, 1, '{"name": "x"}'), (2, -4, NULL, '[]');
--;;
INSERT INTO generated_columns (id, width) VALUES (3, 0);
--;;
CREATE TABLE no_rows (id int PRIMARY KEY, note text);
--;;
CREATE TABLE no_key (number int, note varchar(20));
--;;
INSERT INTO no_key VALUES (1, 'twice'), (1, 'twice'), (1, NULL), (1, ''), (NULL, NULL), (NULL, NULL);
--;;
CREATE TABLE two_keys (a varchar(50), b varbinary(20), c int, PRIMARY KEY (a, b), KEY backwards (c DESC), FULLTEXT KEY words (a)) ROW_FORMAT=COMPRESSED;
--;;
INSERT INTO two_keys VALUES ('a', x'00', 1), ('a', x'ff00', NULL), ('', '', 3);
--;;
CREATE TABLE by_range (id int NOT NULL, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (year(at))
  SUBPARTITION BY HASH (id) SUBPARTITIONS 2 (PARTITION old VALUES LESS THAN (2020), PARTITION `new one` VALUES LESS THAN MAXVALUE COMMENT 'newer');
--;;
CREATE TABLE by_list (id int NOT NULL, region varchar(10) NOT NULL) PARTITION BY LIST COLUMNS (region)
  (PARTITION north VALUES IN ('north', 'it''s'), PARTITION other DEFAULT);
--;;
INSERT INTO by_list VALUES (1, 'north'), (2, 'it''s'), (3, 'ß');
--;;
CREATE TABLE by_key (id int NOT NULL PRIMARY KEY) PARTITION BY KEY () PARTITIONS 3;
--;;
INSERT INTO by_key SELECT seq FROM seq_1_to_50;
--;;
CREATE TABLE versioned (id int PRIMARY KEY, note varchar(20)) WITH SYSTEM VERSIONING;
--;;
INSERT INTO versioned VALUES (1, 'first'), (2, 'stays'), (3, 'goes');
--;;
UPDATE versioned SET note = 'second' WHERE id = 1;
--;;
DELETE FROM versioned WHERE id = 3;
--;;
CREATE TABLE versioned_columns (
  id int PRIMARY KEY, note varchar(20), begins timestamp(6) GENERATED ALWAYS AS ROW START, ends timestamp(6) GENERATED ALWAYS AS ROW END,
  PERIOD FOR SYSTEM_TIME (begins, ends)
) WITH SYSTEM VERSIONING;
--;;
INSERT INTO versioned_columns (id, note) VALUES (1, 'a'), (2, 'b');
--;;
UPDATE versioned_columns SET note = 'c' WHERE id = 1;
--;;
CREATE TABLE periods (id int, from_day date, to_day date, PERIOD FOR validity (from_day, to_day), UNIQUE (id, validity WITHOUT OVERLAPS));
--;;
INSERT INTO periods VALUES (1, '2020-01-01', '2020-02-01'), (1, '2020-02-01', '2021-01-01');
--;;
CREATE TABLE in_myisam (id int NOT NULL AUTO_INCREMENT, kind char(1) NOT NULL, place geometry NOT NULL, words text, PRIMARY KEY (kind, id), SPATIAL KEY place (place), FULLTEXT KEY words (words)) ENGINE=MyISAM;
--;;
INSERT INTO in_myisam (kind, place, words) VALUES ('a', point(1, 2), 'some words'), ('b', point(0, 0), ''), ('a', point(-1, 1e300), NULL);
--;;
CREATE TABLE in_aria (id int PRIMARY KEY, note text) ENGINE=Aria TRANSACTIONAL=1;
--;;
INSERT INTO in_aria VALUES (1, 'aria'), (2, NULL);
--;;
CREATE TABLE in_latin1 (id int PRIMARY KEY, text varchar(300), fixed char(5), long_text longtext) CHARACTER SET latin1 COLLATE latin1_german2_ci;
--;;
CREATE TABLE in_utf16 (id int PRIMARY KEY, text varchar(300) CHARACTER SET utf16, other varchar(20) CHARACTER SET utf32 COLLATE utf32_bin) CHARACTER SET utf16;
--;;
CREATE TABLE in_many (id int PRIMARY KEY, kanji varchar(20) CHARACTER SET sjis, chinese varchar(20) CHARACTER SET gbk, cyrillic varchar(20) CHARACTER SET cp1251, three varchar(20) CHARACTER SET utf8mb3, bytes varchar(20) CHARACTER SET binary, plain varchar(20) CHARACTER SET ascii, any_case varchar(20) COLLATE utf8mb4_nopad_bin);
--;;
INSERT INTO in_latin1 SELECT 1, convert(unhex(group_concat(lpad(hex(seq), 2, '0') ORDER BY seq SEPARATOR '')) USING latin1), 'ä', repeat('€', 1000) FROM seq_0_to_255;
--;;
INSERT INTO in_utf16 VALUES (1, '💾 Größe 値', '💾'), (2, '', NULL);
--;;
INSERT INTO in_many VALUES (1, '表示ソ', '中文誠', 'Привет', 'ß値', x'00ff5c27', 'plain\\', 'a '), (2, '', '', '', '', '', '', 'a');
--;;
CREATE SEQUENCE numbers START WITH 100 INCREMENT BY 5 MINVALUE 1 MAXVALUE 100000 CACHE 10 CYCLE;
--;;
DO nextval(numbers), nextval(numbers);
--;;
CREATE SEQUENCE backwards START WITH -1 INCREMENT BY -1 NOCACHE;
--;;
DO setval(backwards, -500);
--;;
CREATE SEQUENCE unused;
