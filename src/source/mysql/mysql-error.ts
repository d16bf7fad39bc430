import { type ErrorCode, HoldfastError } from '../../errors.ts';

/** What an error of the server or of the connection says; never the statement, which may hold rows. */
export interface ServerFailure {
  readonly number: number;
  /** `ER_DUP_ENTRY`, `ECONNREFUSED`. */
  readonly name: string;
  readonly message: string;
}

/** Tells an error of the client library apart from others. */
export function serverFailure(cause: unknown): ServerFailure | undefined {
  if (!(cause instanceof Error) || cause instanceof HoldfastError) return undefined;
  if (!('code' in cause) || typeof cause.code !== 'string') return undefined;
  const number = 'errno' in cause && typeof cause.errno === 'number' ? cause.errno : 0;
  const message = 'sqlMessage' in cause && typeof cause.sqlMessage === 'string' ? cause.sqlMessage : cause.message;
  return { number, name: cause.code, message };
}

/** The library hangs the statement on its errors, and a statement may hold rows. */
export function withoutStatement(cause: unknown): unknown {
  if (cause instanceof Error && 'sql' in cause) Object.defineProperty(cause, 'sql', { value: undefined });
  return cause;
}

const isDenied = (number: number) => [1044, 1045, 1142, 1143, 1227, 1370, 1698, 3118].includes(number);
const isLocked = (number: number) => [1205, 1213, 3572].includes(number);
const isFull = (number: number) => [1021, 1114].includes(number);

function sourceCode({ number }: ServerFailure): ErrorCode {
  if (number === 1049) return 'source.not_found';
  if (isLocked(number)) return 'source.busy';
  // A table went, or was given another form, after it was listed.
  if (number === 1146 || number === 1412) return 'source.changed';
  return 'source.unreadable';
}

/** Turns a failure of the server into a `source.*` error. */
export function mysqlSourceError(cause: unknown, label: string): unknown {
  const failure = serverFailure(withoutStatement(cause));
  if (failure === undefined) return cause;
  const message = `${label}: ${failure.message || failure.name}`;
  const context = { server: label, error: failure.name };
  const hint = /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENOENT)$/.test(failure.name)
    ? { hint: 'does the server run, and is this its host and port?' }
    : {};
  return new HoldfastError(sourceCode(failure), { message, ...hint, context, cause });
}

/** Whether the server does not know something that a newer one, or another one, has. */
const isUnknown = (number: number) => [1064, 1449, 1115, 1273, 1286, 1193, 1305, 4161, 1235, 3009].includes(number);

function targetCode({ number }: ServerFailure): ErrorCode {
  if (number === 0) return 'storage.unavailable';
  if (isDenied(number)) return 'storage.unauthorized';
  if (isLocked(number)) return 'target.busy';
  if (isFull(number)) return 'storage.full';
  if (number === 1049) return 'storage.not_found';
  return isUnknown(number) ? 'target.incompatible' : 'target.invalid';
}

/** Turns a failure of the server into an error of a target. With `hideMessage` only its name is told: the message may hold values of a row. */
export function mysqlTargetError(
  cause: unknown,
  options: { readonly what: string; readonly hideMessage?: boolean },
): unknown {
  const failure = serverFailure(withoutStatement(cause));
  if (failure === undefined) return cause;
  const { number, name } = failure;
  const reason = options.hideMessage === true ? `the server answers ${name} (${number})` : failure.message || name;
  const shown = options.hideMessage === true ? {} : { cause };
  return new HoldfastError(targetCode(failure), {
    message: `${options.what}: ${reason}`,
    context: { error: name, number },
    ...shown,
  });
}
