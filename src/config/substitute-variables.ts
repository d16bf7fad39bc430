import { isStorage } from '../storage/is-storage.ts';

/** A place in a configuration, as a person writes it: `databases[0].url`. */
export function formatSettingPath(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

/** A variable that a setting names. */
export interface UsedVariable {
  readonly name: string;
  /** Undefined where it is not set. */
  readonly value: string | undefined;
  readonly path: readonly PropertyKey[];
}

/**
 * Puts the values of variables in the place of `${NAME}` in every string; `$${` stands for `${`. Each is told; one that is not set
 * stays, since an empty text in a URL or a path is never what was meant.
 */
export function substituteVariables(
  value: unknown,
  variables: Readonly<Record<string, string | undefined>>,
  onVariable: (used: UsedVariable) => void,
  path: readonly PropertyKey[] = [],
): unknown {
  if (typeof value === 'string') return substituteText(value, variables, onVariable, path);
  if (Array.isArray(value)) {
    return value.map((item, index) => substituteVariables(item, variables, onVariable, [...path, index]));
  }
  if (typeof value !== 'object' || value === null || !isPlain(value) || isStorage(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      substituteVariables(inner, variables, onVariable, [...path, name]),
    ]),
  );
}

/** What a configuration writes down, rather than an object with a life of its own. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function substituteText(
  text: string,
  variables: Readonly<Record<string, string | undefined>>,
  onVariable: (used: UsedVariable) => void,
  path: readonly PropertyKey[],
): string {
  return text.replace(/\$?\$\{([^}]*)\}/g, (found, name: string) => {
    if (found.startsWith('$$')) return found.slice(1);
    const value = variables[name];
    onVariable({ name, value, path });
    return value ?? found;
  });
}
