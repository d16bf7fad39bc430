import { HoldfastError } from '../errors.ts';

/** What a report tells of an error. */
export function errorReport(error: unknown): { code: HoldfastError['code']; message: string; hint: string } {
  const message = error instanceof Error ? error.message : String(error);
  const known = error instanceof HoldfastError ? error : new HoldfastError('operation.failed', { message });
  return { code: known.code, message: known.message, hint: known.hint };
}
