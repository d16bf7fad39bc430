import type { PostgresConnection } from './postgres-connection.ts';

/** The first number that the server gives to what users make. */
const firstUserOid = 16_384;
const catalogs = [
  'pg_class',
  'pg_proc',
  'pg_type',
  'pg_namespace',
  'pg_extension',
  'pg_event_trigger',
  'pg_publication',
  'pg_foreign_data_wrapper',
  'pg_cast',
  'pg_operator',
  'pg_largeobject_metadata',
] as const;

/** Whether a database holds nothing that a user made. */
export async function isEmptyDatabase(connection: PostgresConnection): Promise<boolean> {
  const parts = catalogs.map((name) => `EXISTS (SELECT FROM ${name} WHERE ${conditionOf(name)})`);
  const [row] = await connection.rows(`SELECT ${parts.join(' OR ')} AS filled`);
  return row?.['filled'] !== true;
}

function conditionOf(catalog: (typeof catalogs)[number]): string {
  // Users choose the numbers of these.
  if (catalog === 'pg_largeobject_metadata') return 'true';
  // A schema `public` that was made again is as good as the first one.
  const except = catalog === 'pg_namespace' ? ` AND nspname <> 'public' AND nspname !~ '^pg_'` : '';
  return `oid >= ${firstUserOid}${except}`;
}

/** Removes all that users made, within the transaction. Locks are waited for as long as the connection was told. */
export async function clearDatabase(connection: PostgresConnection, major: number): Promise<void> {
  const owner = major >= 14 ? ' AUTHORIZATION pg_database_owner' : '';
  await connection.work(clearing);
  await connection.work(`CREATE SCHEMA public${owner};
    GRANT USAGE${major >= 15 ? '' : ', CREATE'} ON SCHEMA public TO PUBLIC;
    COMMENT ON SCHEMA public IS 'standard public schema'`);
}

const clearing = `DO $clear$
DECLARE item record;
BEGIN
  FOR item IN SELECT evtname AS name FROM pg_event_trigger LOOP
    EXECUTE format('DROP EVENT TRIGGER IF EXISTS %I CASCADE', item.name);
  END LOOP;
  FOR item IN SELECT pubname AS name FROM pg_publication LOOP
    EXECUTE format('DROP PUBLICATION IF EXISTS %I', item.name);
  END LOOP;
  FOR item IN SELECT extname AS name FROM pg_extension WHERE oid >= 16384 LOOP
    EXECUTE format('DROP EXTENSION IF EXISTS %I CASCADE', item.name);
  END LOOP;
  FOR item IN SELECT fdwname AS name FROM pg_foreign_data_wrapper WHERE oid >= 16384 LOOP
    EXECUTE format('DROP FOREIGN DATA WRAPPER IF EXISTS %I CASCADE', item.name);
  END LOOP;
  FOR item IN SELECT nspname AS name FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', item.name);
  END LOOP;
  FOR item IN SELECT castsource::regtype::text AS source, casttarget::regtype::text AS target FROM pg_cast WHERE oid >= 16384 LOOP
    EXECUTE format('DROP CAST IF EXISTS (%s AS %s) CASCADE', item.source, item.target);
  END LOOP;
  -- What equals the built-in rights is kept nowhere.
  FOR item IN SELECT pg_get_userbyid(d.defaclrole) AS role, k.name AS kind, d.defaclobjtype AS type,
      CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
    FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) a
      JOIN (VALUES ('r', 'TABLES'), ('S', 'SEQUENCES'), ('f', 'FUNCTIONS'), ('T', 'TYPES'), ('n', 'SCHEMAS')) k (type, name)
        ON k.type = d.defaclobjtype
    WHERE d.defaclnamespace = 0 LOOP
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE ALL ON %s FROM %s', item.role, item.kind, item.grantee);
  END LOOP;
  FOR item IN SELECT pg_get_userbyid(d.defaclrole) AS role, k.name AS kind, d.defaclobjtype AS type
    FROM pg_default_acl d
      JOIN (VALUES ('r', 'TABLES'), ('S', 'SEQUENCES'), ('f', 'FUNCTIONS'), ('T', 'TYPES'), ('n', 'SCHEMAS')) k (type, name)
        ON k.type = d.defaclobjtype
    WHERE d.defaclnamespace = 0 LOOP
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %1$I GRANT ALL ON %2$s TO %1$I', item.role, item.kind);
    IF item.type IN ('f', 'T') THEN
      EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT ALL ON %s TO PUBLIC', item.role, item.kind);
    END IF;
  END LOOP;
  PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
END $clear$`;
