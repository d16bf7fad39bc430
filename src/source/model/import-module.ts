import { systemWait } from '../../clock.ts';
import { importWithHoldfast } from '../../config/import-with-holdfast.ts';
import { HoldfastError } from '../../errors.ts';

/** How long a module of the application may take to load: 30 s unless set. */
export const defaultImportTimeoutMs = 30_000;

/** Syntax that Node does not take out of TypeScript: decorators, enums, namespaces. */
function isForeignSyntax(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const { code } = cause as NodeJS.ErrnoException;
  return cause instanceof SyntaxError || code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX';
}

function hintFor(file: string, cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  if (isForeignSyntax(cause) && /\.[cm]?ts$/.test(file)) {
    return 'Node runs TypeScript without decorators and enums: name the compiled .js, or set NODE_OPTIONS="--import tsx" with tsx installed';
  }
  if (code === 'ERR_MODULE_NOT_FOUND')
    return 'check the path; relative ones start from the folder of the configuration';
  return 'it is loaded as the application loads it: check that it runs with `node` from the folder of the configuration';
}

/** A default export may be a promise of one, as for the command lines of some libraries. */
async function importSettled(file: string): Promise<Readonly<Record<string, unknown>>> {
  const module = await importWithHoldfast(file);
  const { default: main } = module;
  return main instanceof Promise ? { ...module, default: await (main as Promise<unknown>) } : module;
}

/**
 * Imports a module of the application; where its default export is a promise, with what that gives.
 *
 * @throws `config.invalid` when it cannot be loaded, with the reason, or has not loaded in time: one that waits for a database at its top level never
 *   does. What it started by then goes on.
 */
export async function importModule(
  file: string,
  timeoutMs: number = defaultImportTimeoutMs,
): Promise<Readonly<Record<string, unknown>>> {
  const waiting = new AbortController();
  const late = systemWait(timeoutMs, waiting.signal).then(() => {
    throw new HoldfastError('config.invalid', {
      message: `${file} did not load within ${timeoutMs / 1000} s`,
      hint: 'it must not wait for a database or a network at its top level',
      context: { file },
    });
  });
  try {
    return await Promise.race([importSettled(file), late]);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('config.invalid', {
      message: `${file} cannot be loaded: ${reason.split('\n')[0]}`,
      hint: hintFor(file, cause),
      context: { file },
      cause,
    });
  } finally {
    waiting.abort();
    await late.catch(() => undefined);
  }
}
