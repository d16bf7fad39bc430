import { type ErrorCode, HoldfastError } from '../../errors.ts';

/** What an error of the server or of the connection says; never the statement or the detail, which may hold rows. */
export interface ServerFailure {
  /** `57P01` of the server, `ECONNREFUSED` of the system; empty where the connection just ended. */
  readonly code: string;
  readonly message: string;
}

/** Tells an error of the client library apart from others. */
export function serverFailure(cause: unknown): ServerFailure | undefined {
  if (!(cause instanceof Error) || cause instanceof HoldfastError) return undefined;
  if ('code' in cause && typeof cause.code === 'string') {
    // A name that has several addresses fails with one error for each.
    const first = cause instanceof AggregateError ? cause.errors[0] : undefined;
    return { code: cause.code, message: first instanceof Error ? first.message : cause.message };
  }
  const isLost = /terminated|timeout|SSL|closed|not queryable|password must be/i.test(cause.message);
  return isLost ? { code: '', message: cause.message } : undefined;
}

/** The connection or the server is gone, rather than unwilling. */
export function isLost({ code }: ServerFailure): boolean {
  return code === '' || /^(08|57P|E[A-Z]{3})/.test(code);
}

const isDenied = (code: string) => code === '42501' || code.startsWith('28');
const isLocked = (code: string) => ['55P03', '40P01', '55006'].includes(code);

function sourceCode(failure: ServerFailure): ErrorCode {
  const { code } = failure;
  if (code === '3D000') return 'source.not_found';
  if (isLocked(code)) return 'source.busy';
  // A table or its schema went after it was listed.
  if (code === '42P01' || code === '3F000') return 'source.changed';
  return 'source.unreadable';
}

function hintOf(failure: ServerFailure): { readonly hint?: string } {
  const { code } = failure;
  if (code.startsWith('28')) return { hint: 'check user and password: in the URL, in PGPASSWORD or in ~/.pgpass' };
  if (code === '53300') return { hint: 'fewer connections, or a larger max_connections of the server' };
  if (isLost(failure)) return { hint: 'check that the server runs and can be reached, then run it again' };
  return {};
}

/** Turns a failure of the server into a `source.*` error. */
export function postgresSourceError(cause: unknown, label: string): unknown {
  const failure = serverFailure(cause);
  if (failure === undefined) return cause;
  return new HoldfastError(sourceCode(failure), {
    message: `${label}: ${failure.message}`,
    context: { server: label, error: failure.code },
    ...hintOf(failure),
    cause,
  });
}

/** What an older server, one without an extension, or one without a role answers. */
const isUnknown = (code: string) => ['0A000', '42704', '42601', '42883', '58P01', '22023'].includes(code);

function targetCode(failure: ServerFailure): ErrorCode {
  const { code } = failure;
  if (isLost(failure)) return 'storage.unavailable';
  if (isDenied(code)) return 'storage.unauthorized';
  if (isLocked(code)) return 'target.busy';
  if (code === '53100') return 'storage.full';
  if (code.startsWith('53')) return 'storage.failed';
  if (code === '3D000') return 'storage.not_found';
  return isUnknown(code) ? 'target.incompatible' : 'target.invalid';
}

/** Turns a failure of the server into an error of a target. What it says of a row is left out: it may hold values. */
export function postgresTargetError(cause: unknown, what: string): unknown {
  const failure = serverFailure(cause);
  if (failure === undefined) return cause;
  const { code, message } = failure;
  const isOfRow = /^2[23]/.test(code);
  const constraint = cause instanceof Error && 'constraint' in cause ? String(cause.constraint ?? '') : '';
  const reason = isOfRow ? `the server refuses a row (${[code, constraint].filter(Boolean).join(', ')})` : message;
  const isRole = code === '42704' && message.startsWith('role ');
  return new HoldfastError(targetCode(failure), {
    message: `${what}: ${reason}`,
    context: { error: code },
    ...(isRole ? { hint: 'create the role first, or back up with roles and restore these too' } : hintOf(failure)),
    ...(isOfRow ? {} : { cause }),
  });
}
