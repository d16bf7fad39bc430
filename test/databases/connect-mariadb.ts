import mysql from 'mysql2/promise';

/** A connection to the database that a URL names; `script` takes several statements at once. */
export async function connectMariadb(url: string, { script = false } = {}): Promise<mysql.Connection> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const connection = await mysql.createConnection({
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    multipleStatements: script,
    charset: 'utf8mb4_general_ci',
  });
  await connection.query("SET time_zone = '+00:00'");
  return connection;
}
