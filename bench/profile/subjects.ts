import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startMariadb } from '../../test/services/start-mariadb.ts';
import { startPostgres } from '../../test/services/start-postgres.ts';
import { eventTables } from '../databases/mariadb.ts';
import { makeShop, shopTables } from '../databases/models.ts';
import { mixedTables } from '../databases/postgres.ts';
import { shell } from '../databases/shell.ts';
import { makeNotes } from '../databases/sqlite.ts';
import { makeData } from '../make-data.ts';
import { measure } from '../measure.ts';
import { azure, ftp, media, s3, sftp, webdav } from './storage-subjects.ts';
import { filesTo, type MakeSubject, type Subject } from './subject.ts';

const gibibyte = 2 ** 30;
async function files(folder: string, sizeBytes: number): Promise<Subject> {
  return { from: ['--files', makeData(folder, sizeBytes)], to: filesTo };
}

async function smallFiles(folder: string, sizeBytes: number): Promise<Subject> {
  for (let index = 0; index < sizeBytes / 16_384; index++) {
    const parent = join(folder, 'small', `${Math.floor(index / 250)}`);
    if (index % 250 === 0) mkdirSync(parent, { recursive: true });
    writeFileSync(join(parent, `${index}.txt`), `small file ${index} `.repeat((index * 7) % 250));
  }
  return { from: ['--files', 'small'], to: filesTo };
}

async function sqlite(folder: string, sizeBytes: number): Promise<Subject> {
  makeNotes(join(folder, 'notes.db'), sizeBytes);
  return { from: ['--url', 'notes=sqlite:notes.db'], to: ['--to', 'notes=sqlite:restored.db'] };
}

async function postgres(_folder: string, sizeBytes: number): Promise<Subject> {
  const server = await startPostgres({ durable: true, settings: { max_wal_size: '4GB' } });
  const url = await server.createDatabase('shop');
  await measure(shell(`psql -q '${url}' <<'END'\n${mixedTables(Math.ceil((500_000 * sizeBytes) / gibibyte))}\nEND`));
  const copy = await server.createDatabase('copy');
  return { from: ['--url', `shop=${url}`], to: ['--to', `shop=${copy}`], stop: () => server.stop() };
}

async function mariadb(_folder: string, sizeBytes: number): Promise<Subject> {
  const server = await startMariadb({ durable: true, settings: { 'innodb-buffer-pool-size': '512M' } });
  const url = await server.createDatabase('shop');
  const client = `--no-defaults --host=127.0.0.1 --port=${server.port} --user=${server.user}`;
  const statements = eventTables(Math.ceil((2_000_000 * sizeBytes) / gibibyte));
  await measure(shell(`mariadb ${client} shop <<'END'\n${statements}\nEND`));
  const copy = await server.createDatabase('copy');
  return { from: ['--url', `shop=${url}`], to: ['--to', `shop=${copy}`], stop: () => server.stop() };
}

async function models(folder: string, sizeBytes: number): Promise<Subject> {
  const server = await startPostgres({ durable: true, settings: { max_wal_size: '4GB' } });
  const url = await server.createDatabase('shop');
  const [rows, uploads] = [1_000_000, 10_000].map((count) => Math.ceil((count * sizeBytes) / gibibyte));
  await measure(shell(`psql -q '${url}' <<'END'\n${shopTables(rows ?? 0, uploads ?? 0)}\nEND`));
  makeShop(folder, url, uploads ?? 0);
  const copy = await server.createDatabase('copy');
  const to = ['--to', `shop=${copy}`, '--files-to', 'restored', '--create-schema'];
  return { from: ['--models'], to, storage: 'local', stop: () => server.stop() };
}

/** The output of a program, read back into another one. */
async function command(folder: string, sizeBytes: number): Promise<Subject> {
  const tree = makeData(folder, sizeBytes);
  // Both are started without a shell.
  const from = ['--command', `stream=tar -C ${tree} -cf - .`];
  return { from, to: ['--command-to', `stream=dd of=${join(folder, 'restored.tar')} bs=1M status=none`] };
}

/** By the names of the page, in its order: sources to a local disk, and then storages. */
export const subjects: Readonly<Record<string, MakeSubject>> = {
  files,
  'small files': smallFiles,
  SQLite: sqlite,
  PostgreSQL: postgres,
  MariaDB: mariadb,
  models,
  command,
  'media on S3': media,
  S3: s3,
  SFTP: sftp,
  FTPS: ftp,
  WebDAV: webdav,
  Azure: azure,
};
