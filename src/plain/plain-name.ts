import { codecExtensions, type DumpCodec } from './codec-names.ts';

/** What follows the filled-in template in the name of a plain dump: `.sql.gz.gpg`. */
export function plainExtension(parts: {
  /** `sql`, or `db` for a database file. */
  readonly content: string;
  readonly compression: DumpCodec;
  readonly isEncrypted: boolean;
}): string {
  return `.${parts.content}${codecExtensions[parts.compression]}${parts.isEncrypted ? '.gpg' : ''}`;
}

const plainPattern = /\.(sql|sqlite|sqlite3|db|dump)(\.(gz|bz2|xz|zst))?(\.(gpg|pgp|asc))?$/i;

/** Whether a name is that of a plain dump, made here or by hand. */
export function isPlainName(name: string): boolean {
  return plainPattern.test(name);
}
