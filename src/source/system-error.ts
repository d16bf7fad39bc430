import { type ErrorCode, HoldfastError } from '../errors.ts';

/** The code of an error of the operating system (`ENOENT`), or an empty string. */
export function systemCode(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
}

/** What a person reads of a failure: `EACCES: permission denied`. */
export function systemReason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.replace(/, [a-z]+(?: '.*)?$/s, '');
}

/** Turns a failure to read a source into `source.not_found` or `source.unreadable`. */
export function sourceError(cause: unknown, path: string): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  const code = systemCode(cause) === 'ENOENT' ? 'source.not_found' : 'source.unreadable';
  const message = code === 'source.not_found' ? `${path} does not exist` : `${path}: ${systemReason(cause)}`;
  return new HoldfastError(code, { message, context: { path }, cause });
}

const targetCodes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'storage.full',
  EDQUOT: 'storage.full',
  EFBIG: 'storage.full',
  EACCES: 'storage.unauthorized',
  EPERM: 'storage.unauthorized',
  EROFS: 'storage.read_only',
};

/** Turns a failure to write a target into a `storage.*` error. */
export function targetError(cause: unknown, path: string): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  return new HoldfastError(targetCodes[systemCode(cause)] ?? 'storage.failed', {
    message: `${path}: ${systemReason(cause)}`,
    context: { path },
    cause,
  });
}
