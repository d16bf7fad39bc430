/** What a plain dump is, as its beginning tells. */
export interface DumpContent {
  /** Of the server that it came from. */
  readonly engine: 'postgres' | 'mysql' | 'mariadb' | 'sqlite';
  readonly format: 'plain' | 'custom' | 'database';
  readonly engineVersion?: string;
  /** What stands in the last bytes of a dump that is complete. */
  readonly endMark?: RegExp;
}

/** Bytes of a dump that are enough to tell what it is, and whether it ends as it must. */
export const contentHeadBytes = 4096;
export const contentTailBytes = 4096;

/** Undefined for anything that is not known, such as statements written by hand. */
export function contentOf(head: Uint8Array): DumpContent | undefined {
  const text = Buffer.from(head.subarray(0, contentHeadBytes)).toString('latin1');
  if (text.startsWith('SQLite format 3\0')) return { engine: 'sqlite', format: 'database' };
  if (text.startsWith('PGDMP')) return { engine: 'postgres', format: 'custom' };
  if (/^(--\s*\n)?-- PostgreSQL database dump/.test(text)) {
    const version = /-- Dumped from database version (\d+(?:\.\d+)*)/.exec(text)?.[1];
    return {
      engine: 'postgres',
      format: 'plain',
      ...(version === undefined ? {} : { engineVersion: version }),
      endMark: /-- PostgreSQL database dump complete/,
    };
  }
  if (!/^(\/\*M?!.*\*\/;?\s*\n)?-- (MariaDB|MySQL) dump /.test(text)) return undefined;
  const server = /-- Server version\s+(\S+)/.exec(text)?.[1];
  const version = /^\d+(?:\.\d+)*/.exec(server ?? '')?.[0];
  return {
    engine: /mariadb/i.test(server ?? text.slice(0, 200)) ? 'mariadb' : 'mysql',
    format: 'plain',
    ...(version === undefined ? {} : { engineVersion: version }),
    endMark: /-- Dump completed/,
  };
}
