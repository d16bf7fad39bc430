CREATE TABLE log (id int AUTO_INCREMENT PRIMARY KEY, what text, at timestamp(3) NULL);
--;;
CREATE TABLE document (id int PRIMARY KEY, title varchar(100), changes int DEFAULT 0);
--;;
INSERT INTO document (id, title) SELECT seq, concat('Title ', seq) FROM seq_1_to_30;
--;;
CREATE TRIGGER document_insert BEFORE INSERT ON document FOR EACH ROW BEGIN
  -- It's a comment; with a semicolon
  SET NEW.title = concat(NEW.title, '!');
  INSERT INTO log (what) VALUES ('insert; // $$ DELIMITER ;;');
END
--;;
CREATE TRIGGER `Second; "trigger"` BEFORE INSERT ON document FOR EACH ROW FOLLOWS document_insert SET NEW.changes = NEW.changes + 1
--;;
CREATE TRIGGER document_delete AFTER DELETE ON document FOR EACH ROW INSERT INTO log (what) VALUES (concat('deleted ', OLD.id))
--;;
CREATE FUNCTION twice(word varchar(100)) RETURNS varchar(200) CHARSET utf8mb4 DETERMINISTIC NO SQL SQL SECURITY INVOKER COMMENT 'it''s twice'
  RETURN concat(word, '\\', "it's", word)
--;;
CREATE PROCEDURE `note it`(IN number int, OUT answer text, INOUT both_ways decimal(10,2)) MODIFIES SQL DATA BEGIN
  DECLARE done int DEFAULT 0;
  DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET done = 1;
  again: LOOP
    SET number = number - 1;
    IF number < 0 THEN LEAVE again; END IF;
    INSERT INTO log (what) VALUES (concat('größer 💾 ', number, ';;', '$$'));
  END LOOP;
  SELECT count(*) INTO answer FROM log; /* a comment */
END
--;;
SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT';
--;;
CREATE FUNCTION other_mode(a text) RETURNS text DETERMINISTIC RETURN a || '\' || "a"
--;;
SET sql_mode = 'ORACLE';
--;;
CREATE PACKAGE counting AS FUNCTION next(n int) RETURN int; END;
--;;
CREATE PACKAGE BODY counting AS FUNCTION next(n int) RETURN int AS BEGIN RETURN n + 1; END; END;
--;;
SET sql_mode = DEFAULT;
--;;
CREATE AGGREGATE FUNCTION product(x double) RETURNS double BEGIN
  DECLARE result double DEFAULT 1;
  DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN result;
  LOOP FETCH GROUP NEXT ROW; SET result = result * x; END LOOP;
END
--;;
CREATE EVENT clean_up ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 03:00:00' ENDS '2037-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'an event; it''s off'
  DO BEGIN DELETE FROM log WHERE id < 10; INSERT INTO log (what) VALUES ('cleaned; up'); END
--;;
CREATE EVENT `once; "only"` ON SCHEDULE AT '2037-12-31 00:00:00' DO SELECT 1
--;;
CREATE VIEW z_base AS SELECT id, title FROM document WHERE id % 2 = 0;
--;;
CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW a_upon AS SELECT z.id, twice(z.title) AS doubled FROM z_base z;
--;;
CREATE ALGORITHM=TEMPTABLE VIEW b_upon_both AS SELECT max(a.id) AS most, count(z.title) AS `count it` FROM a_upon a JOIN z_base z ON z.id = a.id;
--;;
CREATE VIEW with_text AS SELECT 'größer; it''s "x" \\ 💾' AS text;
--;;
CREATE VIEW a_checked AS SELECT id, title FROM document WHERE id < 20 WITH LOCAL CHECK OPTION;
--;;
CREATE VIEW b_checked_too AS SELECT id, title FROM a_checked WHERE id > 2 WITH CASCADED CHECK OPTION;
