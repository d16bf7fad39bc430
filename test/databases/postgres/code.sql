-- What runs or is derived: functions, triggers, rules, views, and who may see which row.
CREATE SCHEMA code;

CREATE FUNCTION code.double(number integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN number * 2;
CREATE FUNCTION code.double(word text) RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, pg_temp COST 7 AS $body$
BEGIN
  -- It's a body; with a semicolon, a \backslash and $dollar$ signs.
  RETURN word || E'\\' || word;
END $body$;
CREATE FUNCTION code.rows_of(VARIADIC names text[]) RETURNS TABLE (name text, "Row Count" bigint) LANGUAGE sql ROWS 3
  BEGIN ATOMIC
    SELECT n, count(*) FROM unnest(names) n GROUP BY n;
  END;
CREATE PROCEDURE code.note(INOUT text text DEFAULT 'none') LANGUAGE plpgsql AS 'BEGIN text := upper(text); END';
COMMENT ON FUNCTION code.double(text) IS 'the text twice';
COMMENT ON PROCEDURE code.note(text) IS 'a procedure';
CREATE AGGREGATE code.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1');
CREATE OPERATOR code.=~= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq, COMMUTATOR = OPERATOR(code.=~=));
CREATE TYPE code.celsius AS (degrees numeric);
CREATE FUNCTION code.to_numeric(code.celsius) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN ($1).degrees;
CREATE CAST (code.celsius AS numeric) WITH FUNCTION code.to_numeric(code.celsius) AS ASSIGNMENT;
CREATE TEXT SEARCH DICTIONARY code.plain_words (TEMPLATE = simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION code.plain (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION code.plain ALTER MAPPING FOR asciiword WITH code.plain_words;

CREATE TABLE code.document (
  id integer PRIMARY KEY, title text NOT NULL, body text, owner text DEFAULT current_user, changed_at timestamptz DEFAULT '2020-01-01Z',
  search tsvector GENERATED ALWAYS AS (to_tsvector('code.plain'::regconfig, coalesce(title, '') || ' ' || coalesce(body, ''))) STORED,
  doubled integer GENERATED ALWAYS AS (code.double(id)) STORED,
  temperature code.celsius
);
CREATE TABLE code.log (at timestamptz DEFAULT now(), what text);
INSERT INTO code.document (id, title, body, temperature)
  SELECT n, 'Title ' || n, repeat('some words ', n % 5), ROW(n / 10.0)::code.celsius FROM generate_series(1, 30) n;

-- Triggers that would change or add rows if a load fired them.
CREATE FUNCTION code.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO code.log (what) VALUES (TG_NAME || ' ' || coalesce(TG_ARGV[0], ''));
  IF TG_LEVEL = 'ROW' AND TG_WHEN = 'BEFORE' THEN NEW.changed_at := now(); NEW.title := NEW.title || '!'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE OF title ON code.document FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION code.touch('an ''argument''');
CREATE TRIGGER after_all AFTER INSERT ON code.document REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION code.touch();
CREATE TRIGGER switched_off BEFORE INSERT ON code.document FOR EACH ROW EXECUTE FUNCTION code.touch('off');
ALTER TABLE code.document DISABLE TRIGGER switched_off;
CREATE CONSTRAINT TRIGGER checked_late AFTER INSERT ON code.document DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION code.touch('late');
ALTER TABLE code.document ENABLE ALWAYS TRIGGER checked_late;
COMMENT ON TRIGGER touch ON code.document IS 'marks what is new';

-- Views upon views, one before its own table by name; one that may be written to.
CREATE VIEW code.a_view AS SELECT id, title, owner FROM code.document WHERE id % 2 = 0;
CREATE VIEW code."Another View" WITH (security_barrier = true) AS SELECT a.*, d.body FROM code.a_view a JOIN code.document d USING (id);
CREATE VIEW code.checked AS SELECT id, title FROM code.a_view WHERE id < 20 WITH LOCAL CHECK OPTION;
CREATE VIEW code.numbers AS WITH RECURSIVE r (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 10) SELECT n FROM r;
ALTER VIEW code.a_view ALTER COLUMN owner SET DEFAULT 'somebody';
CREATE FUNCTION code.instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER instead INSTEAD OF INSERT ON code."Another View" FOR EACH ROW EXECUTE FUNCTION code.instead();
COMMENT ON VIEW code.a_view IS 'the even ones';
COMMENT ON COLUMN code.a_view.title IS 'as in the document';
CREATE RULE log_insert AS ON INSERT TO code.document DO ALSO INSERT INTO code.log (what) VALUES ('rule');
CREATE RULE no_delete AS ON DELETE TO code.log DO INSTEAD NOTHING;
COMMENT ON RULE no_delete ON code.log IS 'kept for ever';

-- Materialized views whose names sort against the order in which they have to be refreshed.
CREATE MATERIALIZED VIEW code.z_first AS SELECT id, title, id * 10 AS tens FROM code.document;
CREATE MATERIALIZED VIEW code.m_second AS SELECT max(tens) AS most, count(*) AS count FROM code.z_first;
CREATE VIEW code.between_them AS SELECT most + 1 AS more FROM code.m_second;
CREATE MATERIALIZED VIEW code.a_third AS SELECT b.more, z.title FROM code.between_them b, code.z_first z;
CREATE MATERIALIZED VIEW code.b_never AS SELECT * FROM code.a_third WITH NO DATA;
CREATE UNIQUE INDEX z_first_id ON code.z_first (id);
COMMENT ON MATERIALIZED VIEW code.z_first IS 'refreshed first';

-- Row-level security.
ALTER TABLE code.document ENABLE ROW LEVEL SECURITY;
ALTER TABLE code.log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON code.document USING (owner = current_user) WITH CHECK (owner = current_user);
CREATE POLICY narrow ON code.document AS RESTRICTIVE FOR SELECT TO PUBLIC USING (id <> 13);
COMMENT ON POLICY own ON code.document IS 'only what is one''s own';
