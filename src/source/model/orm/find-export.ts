import { HoldfastError } from '../../../errors.ts';

/** What a module of an application should export. */
export interface WantedExport {
  readonly path: string;
  /** `a DataSource`. */
  readonly what: string;
  /** How a module exports one. */
  readonly example: string;
}

/** An export that nothing can be made of. */
export function missingExport({ path, what, example }: WantedExport): HoldfastError {
  return new HoldfastError('config.invalid', {
    message: `${path} exports no ${what}`,
    hint: `export it: \`${example}\``,
    context: { path },
  });
}

/** What a module exports, and for one of CommonJS what is in its `module.exports`. */
export function exportsOf(module: Readonly<Record<string, unknown>>): unknown[] {
  const { default: main, ...others } = module;
  const inner = typeof main === 'object' && main !== null ? Object.values(main) : [];
  return [main, ...Object.values(others), ...inner];
}

/**
 * The one export of a kind: the default one goes first.
 *
 * @throws `config.invalid` where there is none.
 */
export function findExport<Kind>(
  module: Readonly<Record<string, unknown>>,
  isKind: (value: unknown) => value is Kind,
  wanted: WantedExport,
): Kind {
  const found = exportsOf(module).find(isKind);
  if (found === undefined) throw missingExport(wanted);
  return found;
}
