-- What only a superuser makes, and what reaches beyond the database: roles, grants, large objects, publications, event triggers.
DO $$
DECLARE role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['shop_owner', 'shop_reader', 'Role, "with" quotes'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', role); END IF;
  END LOOP;
END $$;
GRANT shop_reader TO shop_owner;
GRANT USAGE ON SCHEMA shop, code TO shop_reader;
GRANT CREATE, USAGE ON SCHEMA shop TO shop_owner WITH GRANT OPTION;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO shop_reader;
GRANT INSERT, UPDATE (label, mood) ON shop.item TO "Role, ""with"" quotes" WITH GRANT OPTION;
GRANT SELECT ON code.document TO PUBLIC;
GRANT USAGE ON SEQUENCE shop.ahead TO shop_reader;
GRANT EXECUTE ON FUNCTION code.double(text) TO shop_reader;
REVOKE EXECUTE ON FUNCTION code.double(integer) FROM PUBLIC;
GRANT USAGE ON TYPE shop.mood TO shop_reader;
ALTER TABLE shop.person OWNER TO shop_owner;
ALTER SEQUENCE shop.down OWNER TO shop_owner;
ALTER FUNCTION code.double(text) OWNER TO "Role, ""with"" quotes";
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA shop GRANT SELECT ON TABLES TO shop_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE POLICY readers ON code.document FOR SELECT TO shop_reader, "Role, ""with"" quotes" USING (true);

-- Large objects: empty, small, with a hole, of all bytes; one with an owner, a comment and a grant.
SELECT lo_create(700001);
SELECT lo_from_bytea(700002, '\x00ff0a5c');
SELECT lo_from_bytea(700003, '\x01'), lo_put(700003, 300000, '\x02');
SELECT lo_from_bytea(700004, (SELECT string_agg(set_byte('\x00', 0, n % 256), '') FROM generate_series(0, 9999) n));
COMMENT ON LARGE OBJECT 700002 IS 'a large object''s comment';
ALTER LARGE OBJECT 700002 OWNER TO shop_owner;
GRANT SELECT, UPDATE ON LARGE OBJECT 700004 TO shop_reader;
CREATE TABLE shop.picture (id integer PRIMARY KEY, content oid);
INSERT INTO shop.picture SELECT n, 700000 + n FROM generate_series(1, 4) n;

CREATE FUNCTION code.on_change() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE EVENT TRIGGER on_change ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION code.on_change();
CREATE EVENT TRIGGER on_drop ON sql_drop EXECUTE FUNCTION code.on_change();
ALTER EVENT TRIGGER on_drop DISABLE;
COMMENT ON EVENT TRIGGER on_change IS 'does nothing';

SET client_min_messages TO error;
CREATE PUBLICATION some_rows FOR TABLE shop.person (id, name) WHERE (id > 1), shop.hen WITH (publish = 'insert, update');
CREATE PUBLICATION a_schema FOR TABLES IN SCHEMA a;
COMMENT ON PUBLICATION a_schema IS 'all of a';
RESET client_min_messages;
