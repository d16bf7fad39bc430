-- Names that have to be quoted, and that look alike when they are quoted wrongly.
CREATE SCHEMA "Sch.ema ""with"" everything";
CREATE TABLE "Sch.ema ""with"" everything"."table" ("select" integer PRIMARY KEY, "from" text);
CREATE TABLE "Sch.ema ""with"" everything"."Table" ("A""b" integer, "a.b" integer, "new
line" text, " spaces " text, "tab	" text, "back\slash" text, "it's" text, "Größe 💾" text, "%s:?$1" text DEFAULT 'it''s', "*" text);
INSERT INTO "Sch.ema ""with"" everything"."table" SELECT n, 'row ' || n FROM generate_series(1, 3) n;
INSERT INTO "Sch.ema ""with"" everything"."Table" SELECT n, -n, 'line', '', NULL, E'\\N', '''', 'ß', '%', '*' FROM generate_series(1, 4) n;
CREATE TABLE "a.b" (c integer);
CREATE SCHEMA a;
CREATE TABLE a.b (c integer);
CREATE TABLE a."b.c" (c integer);
CREATE SCHEMA "a.b";
CREATE TABLE "a.b".c (c integer);
INSERT INTO "a.b" VALUES (1);
INSERT INTO a.b VALUES (2);
INSERT INTO a."b.c" VALUES (3);
INSERT INTO "a.b".c VALUES (4);
CREATE SCHEMA "Ünïcode 💾";
CREATE TABLE "Ünïcode 💾"."таблица/表\" (id serial PRIMARY KEY, "列" text);
INSERT INTO "Ünïcode 💾"."таблица/表\" ("列") VALUES ('値'), ('💾'), ('');
CREATE TABLE "two
lines" ("a
b" integer);
INSERT INTO "two
lines" VALUES (1), (2);
COMMENT ON TABLE "two
lines" IS 'a comment
-- Name: not_a_header; Type: TABLE; Schema: public; Owner: nobody
\. COPY public.x FROM stdin; \connect template1';
CREATE TABLE "../up" (c integer);
CREATE TABLE "*" (c integer);
CREATE TABLE "a*" (c integer);
CREATE TABLE "?[x]{y}" (c integer);
CREATE TABLE "-dash" (c integer);
CREATE TABLE " " (c integer);
CREATE TABLE "CON" (c integer);
CREATE TABLE "%2F" (c integer);
INSERT INTO "%2F" VALUES (47);
CREATE TABLE "name_of_sixty_three_bytes_which_is_the_longest_there_may_be_xxx" (c integer);
CREATE VIEW "View ""of"" it" AS SELECT "A""b", "a.b" FROM "Sch.ema ""with"" everything"."Table";
CREATE SEQUENCE "Sequence's name. 1";
SELECT setval('"Sequence''s name. 1"', 77);
CREATE TYPE "Type ""x""" AS ENUM ('a', 'b');
CREATE FUNCTION "Function; --"("argument ""x""" integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE INDEX "Index "" -- name" ON "Sch.ema ""with"" everything"."Table" ("A""b", ("a.b" + 1));
