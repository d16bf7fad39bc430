import pg from 'pg';

/** A connection to the database that a URL names; `pg` itself does not undo all percent-encoding of a name. */
export async function connectPostgres(url: string): Promise<pg.Client> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const client = new pg.Client({
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
  });
  await client.connect();
  return client;
}
