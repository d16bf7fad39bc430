/** Characters that a service does not take in names, as percent codes of UTF-8: one object, one name, both ways. */
import { HoldfastError } from '../../errors.ts';
import { checkObjectName } from '../object-name.ts';
import type { ForeignObject } from '../storage.ts';

/** What a service does not take. */
export interface KeyRules {
  /** Characters to be written as codes; all are ASCII. */
  readonly forbidden: RegExp;
  /** Longest key, in bytes of UTF-8. */
  readonly limitBytes: number;
}

function codeOf(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

/** The character that a code stands for, where encoding makes such a code. */
function characterOf(code: string, { forbidden }: KeyRules): string | undefined {
  const character = String.fromCharCode(Number.parseInt(code.slice(1), 16));
  return character === '%' || new RegExp(forbidden, 'u').test(character) ? character : undefined;
}

const codes = /%[0-9A-F]{2}/g;

/** The name as the service takes it. */
export function encodeName(name: string, rules: KeyRules): string {
  // What would be read back as a code begins with one itself.
  const marked = name.replaceAll(codes, (code) =>
    characterOf(code, rules) === undefined ? code : `%25${code.slice(1)}`,
  );
  return marked.replaceAll(new RegExp(rules.forbidden, 'gu'), codeOf);
}

/** The name that {@link encodeName} was given. */
export function decodeName(key: string, rules: KeyRules): string {
  return key.replaceAll(codes, (code) => characterOf(code, rules) ?? code);
}

/** Turns names of objects into keys below a prefix, and back. */
export class ObjectKeys {
  /** Empty, or ends with a slash. */
  readonly prefix: string;
  readonly #rules: KeyRules;

  constructor(prefix: string | undefined, rules: KeyRules) {
    const path = (prefix ?? '').replaceAll(/^\/+|\/+$/g, '');
    if (path !== '') checkObjectName(path);
    this.prefix = path === '' ? '' : `${encodeName(path, rules)}/`;
    this.#rules = rules;
  }

  /** Throws `storage.unauthorized` for a name that is refused, as it is or by the service. */
  keyOf(name: string): string {
    checkObjectName(name);
    const key = this.prefix + encodeName(name, this.#rules);
    if (Buffer.byteLength(key) <= this.#rules.limitBytes) return key;
    throw new HoldfastError('storage.unauthorized', {
      message: `the name ${JSON.stringify(name)} is refused: it is longer than the ${this.#rules.limitBytes} bytes that the service takes`,
      hint: 'choose a shorter name',
      context: { name },
    });
  }

  /** Undefined for a key that no name has. */
  nameOf(key: string): string | undefined {
    if (!key.startsWith(this.prefix)) return undefined;
    const name = decodeName(key.slice(this.prefix.length), this.#rules);
    // Such as a marker of a folder, which ends with a slash, or a key that another program wrote.
    return isObjectName(name) && encodeName(name, this.#rules) === key.slice(this.prefix.length) ? name : undefined;
  }

  /** A key that no name has, as what it is. */
  foreign(key: string, sizeBytes: number): ForeignObject {
    const name = key.slice(this.prefix.length);
    if (name.endsWith('/')) return { name, sizeBytes, kind: 'folder', reason: 'it stands for a folder' };
    return { name, sizeBytes, kind: 'other', reason: 'another program gave it a name that cannot be asked for here' };
  }

  /** What all keys of names with this prefix begin with. Others may too. */
  listingPrefix(namePrefix: string): string {
    const folder = namePrefix.slice(0, namePrefix.lastIndexOf('/') + 1);
    const rest = namePrefix.slice(folder.length);
    const plain = /^[\p{L}\p{N}_-]*/u.exec(rest)?.[0] ?? '';
    return this.prefix + encodeName(folder, this.#rules) + plain;
  }
}

function isObjectName(name: string): boolean {
  try {
    checkObjectName(name);
    return true;
  } catch {
    return false;
  }
}
