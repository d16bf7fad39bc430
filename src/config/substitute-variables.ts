import { HoldfastError } from '../errors.ts';
import { isStorage } from '../storage/is-storage.ts';

/** A place in a configuration, as a person writes it: `databases[0].url`. */
export function formatSettingPath(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

/**
 * Puts the values of environment variables in the place of `${NAME}` in every string; `$${` stands for `${`. Throws `config.invalid` for
 * a variable that is not set, since an empty text in a URL or a path is never what was meant.
 */
export function substituteVariables(
  value: unknown,
  environment: Readonly<Record<string, string | undefined>>,
  path: readonly PropertyKey[] = [],
): unknown {
  if (typeof value === 'string') return substituteText(value, environment, path);
  if (Array.isArray(value)) {
    return value.map((item, index) => substituteVariables(item, environment, [...path, index]));
  }
  if (typeof value !== 'object' || value === null || isStorage(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, substituteVariables(inner, environment, [...path, name])]),
  );
}

function substituteText(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
  path: readonly PropertyKey[],
): string {
  return text.replace(/\$?\$\{([^}]*)\}/g, (found, name: string) => {
    if (found.startsWith('$$')) return found.slice(1);
    const value = environment[name];
    if (value !== undefined) return value;
    const where = formatSettingPath(path);
    throw new HoldfastError('config.invalid', {
      message: `the variable ${name} is not set, which ${where} uses`,
      hint: `set $${name}, or change ${where}`,
      context: { variable: name, path: where },
    });
  });
}
