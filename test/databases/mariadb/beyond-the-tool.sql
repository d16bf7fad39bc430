-- What mariadb-dump itself does not bring back: an insert into a table whose default asks a sequence fails while the table is
-- locked, and names the old database; a checked view is made before the view that it is of; floats are rounded to 6 digits;
-- an enum's empty value is taken for what is there instead of a wrong one.
CREATE TABLE uses_sequence (id bigint PRIMARY KEY DEFAULT nextval(numbers), note text);
--;;
INSERT INTO uses_sequence (note) VALUES ('a'), ('b');
--;;
CREATE VIEW a_checked_before AS SELECT id FROM z_base WHERE id > 2 WITH CASCADED CHECK OPTION;
--;;
CREATE TABLE exact_floats (id int PRIMARY KEY, number float);
--;;
INSERT INTO exact_floats VALUES (1, 16777216), (2, 16777215), (3, 1234567.5), (4, 0.1234567), (5, 3.402823466e38), (6, -1.175494351e-38);
--;;
SET sql_mode = '';
--;;
CREATE TABLE empty_enum (id int PRIMARY KEY, value enum('', 'a'));
--;;
INSERT INTO empty_enum VALUES (1, ''), (2, 0), (3, 'a'), (4, NULL);
--;;
SET sql_mode = DEFAULT;
