-- Extensions of which tables have columns and indexes; one whose foreign table has no rows that could be read.
CREATE SCHEMA extensions;
CREATE EXTENSION citext;
CREATE EXTENSION hstore WITH SCHEMA extensions;
CREATE EXTENSION pg_trgm WITH SCHEMA extensions;
CREATE EXTENSION ltree;
CREATE EXTENSION cube;
CREATE EXTENSION pgcrypto;
CREATE EXTENSION postgres_fdw;
COMMENT ON EXTENSION citext IS 'a comment of our own';
CREATE TABLE extensions.extended (id integer PRIMARY KEY, any_case citext UNIQUE, pairs extensions.hstore, path ltree, cube cube, text text);
INSERT INTO extensions.extended VALUES
  (1, 'Mixed', '"a b"=>"it''s \"x\"", c=>NULL, ""=>""', 'Top.Science', '(1,2,3)', 'some text'), (2, '', '', '', '(0),(1)', ''), (3, NULL, NULL, NULL, NULL, NULL);
CREATE INDEX extended_text ON extensions.extended USING gin (text extensions.gin_trgm_ops);
CREATE INDEX extended_pairs ON extensions.extended USING gist (pairs);
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'none');
CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (user 'nobody');
CREATE FOREIGN TABLE extensions.far_away (id integer, note text) SERVER elsewhere OPTIONS (table_name 'far');
