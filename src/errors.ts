/** What a code means to a program and to a person. `retryable` says that the same call may succeed later. */
interface ErrorDefinition {
  readonly exitCode: number;
  readonly httpStatus: number;
  readonly retryable: boolean;
  /** The message where the thrower gives none. */
  readonly message: string;
  /** What the user can do. */
  readonly hint: string;
}

function define(exitCode: number, httpStatus: number, retryable: boolean, message: string, hint: string) {
  return { exitCode, httpStatus, retryable, message, hint } satisfies ErrorDefinition;
}

/** The one table of errors. A retired code is never used again. */
export const errorTable = {
  'usage.invalid': define(2, 400, false, 'the command line is not valid', 'see `holdfast help`'),
  'usage.node_too_old': define(2, 500, false, 'this Node is too old', 'install Node 24 or newer'),
  'operation.interrupted': define(130, 499, true, 'interrupted', 'run it again; nothing half-done was left behind'),
  'operation.failed': define(1, 500, false, 'the operation failed', 'this is a defect in Holdfast: please report it'),
  'config.invalid': define(2, 400, false, 'the configuration is not valid', 'mend the named setting'),
  'config.not_found': define(2, 404, false, 'there is no configuration file', 'make one with `holdfast init`'),
  'key.missing': define(
    2,
    401,
    false,
    'a key is needed',
    'set $HOLDFAST_PASSPHRASE, or give --passphrase-file or --identity-file',
  ),
  'key.wrong': define(
    12,
    403,
    false,
    'the key does not open this archive',
    'check the passphrase or the identity; `holdfast inspect` lists the key slots',
  ),
  'key.invalid': define(
    2,
    400,
    false,
    'the key is not valid',
    'a recipient begins with age1, an identity with AGE-SECRET-KEY-1',
  ),
  'key.last_slot': define(1, 409, false, 'the last key slot cannot be removed', 'add another key first'),
  'key.slot_not_found': define(1, 404, false, 'there is no such key slot', '`holdfast key list` shows the slots'),
  'key.slots_full': define(1, 409, false, 'the header has no room for another key slot', 'remove a slot first'),
  'archive.not_an_archive': define(
    13,
    422,
    false,
    'this is not a Holdfast archive',
    'check the path; an archive begins with HOLDFAST at byte 32',
  ),
  'archive.version_unsupported': define(
    13,
    422,
    false,
    'this archive has a version that is not known here',
    'use a newer Holdfast',
  ),
  'archive.ambiguous': define(
    13,
    422,
    false,
    'more than one archive stands in this file',
    'choose one with --archive-id',
  ),
  'archive.corrupt': define(
    11,
    422,
    false,
    'the archive contradicts itself',
    'it was altered or written wrongly; use another copy of it',
  ),
  'archive.damaged': define(
    11,
    422,
    false,
    'the archive is damaged beyond repair',
    'give further replicas with `holdfast repair --from`, or restore the rest with --partial',
  ),
  'archive.verify_failed': define(
    1,
    500,
    true,
    'what was written does not read back as it was',
    'check memory and disk of this machine, then run it again',
  ),
  'archive.entry_not_found': define(1, 404, false, 'no entry matches', '`holdfast inspect` lists the entries'),
  'source.not_found': define(1, 404, false, 'the source does not exist', 'check the path or URL'),
  'source.unreadable': define(1, 403, false, 'the source cannot be read', 'check its permissions'),
  'source.corrupt': define(1, 422, false, 'the source is damaged', 'mend the database before you trust a backup of it'),
  'source.busy': define(1, 409, true, 'the source is locked by another program', 'try again when the lock is released'),
  'source.changed': define(3, 409, true, 'the source changed while it was read', 'run it again, or back up a snapshot'),
  'source.empty': define(
    1,
    422,
    false,
    'there is nothing to back up',
    'name a database with --url or a folder with --files',
  ),
  'source.incomplete': define(
    1,
    422,
    false,
    'the source gave less than all',
    'look at what the program wrote, and why it ended',
  ),
  'source.shrunken': define(
    1,
    409,
    false,
    'the source holds far less than in the archive before',
    'give another --output to keep both; if the source is right, allow it once with --allowed-fall 100',
  ),
  'target.exists': define(1, 409, false, 'the target exists', 'choose another target, or allow it with --overwrite'),
  'target.unsafe': define(
    1,
    422,
    false,
    'an entry would leave the target folder',
    'the archive is hostile or made elsewhere; nothing was written',
  ),
  'target.busy': define(
    1,
    409,
    true,
    'the target is in use by another program',
    'stop the application before you restore',
  ),
  'target.invalid': define(1, 422, false, 'what was restored does not pass its check', 'the target was left as it was'),
  'target.incompatible': define(
    1,
    409,
    false,
    'the target cannot take what is in the archive',
    'restore to the same kind of database, of the same version or a newer one',
  ),
  'target.no_undo': define(
    1,
    404,
    false,
    'nothing is kept that could be brought back',
    'only what a restore replaced can be brought back, and not after --no-undo',
  ),
  'storage.not_found': define(1, 404, false, 'the file does not exist', 'check the path'),
  'storage.unauthorized': define(1, 403, false, 'access was denied', 'check the permissions'),
  'storage.read_only': define(1, 403, false, 'the storage is read-only', 'choose a place that can be written'),
  'storage.full': define(1, 507, true, 'there is no space left', 'free some space, then run it again'),
  'storage.conflict': define(1, 409, false, 'the name is taken', 'choose another name'),
  'storage.unavailable': define(1, 503, true, 'the storage does not answer', 'try again later'),
  'storage.timeout': define(1, 504, true, 'the storage did not answer in time', 'check the network, then run it again'),
  'storage.throttled': define(1, 429, true, 'the storage asks to slow down', 'run it again later, or set a lower rate'),
  'storage.credentials': define(
    1,
    401,
    false,
    'the storage does not know these credentials',
    'check the key, token or password in the configuration',
  ),
  'storage.signature': define(
    1,
    403,
    false,
    'the storage refused the signature',
    'check the secret key; a space or line break copied along is enough',
  ),
  'storage.clock_skew': define(
    1,
    403,
    false,
    "this machine's clock is too far from the storage's",
    'set the clock, by NTP',
  ),
  'storage.wrong_region': define(1, 400, false, 'the bucket is in another region', 'set `region` to the one named'),
  'storage.container_not_found': define(
    1,
    404,
    false,
    'the bucket, container or root folder does not exist',
    'make it, or check its name in the configuration',
  ),
  'storage.certificate': define(
    1,
    502,
    false,
    "the server's certificate or host key is not trusted",
    'check that it is the right server, then make its certificate authority or host key known',
  ),
  'storage.locked': define(
    1,
    409,
    false,
    'the object is locked against deletion',
    'wait until its retention has passed',
  ),
  'storage.failed': define(1, 500, false, 'the storage failed', 'see the cause'),
  'history.unavailable': define(
    1,
    500,
    true,
    'the history cannot be used',
    'check its permissions, or move it away: no archive is lost with it, and `holdfast rebuild` makes a new one',
  ),
  'catalogue.invalid': define(
    14,
    422,
    false,
    'a record of the catalogue cannot be trusted',
    'see what `holdfast catalogue verify` finds',
  ),
  'catalogue.violated': define(
    14,
    409,
    false,
    'the storage does not hold what was put there',
    'see what `holdfast catalogue verify` finds, and who has access to the storage; `holdfast catalogue accept` takes it as it is',
  ),
  'web.listen_failed': define(
    1,
    500,
    true,
    'the address cannot be listened on',
    'choose another port, or end the program that has it',
  ),
  'job.running': define(
    1,
    409,
    true,
    'another run of this job is under way',
    'wait until it has ended; `holdfast runs` shows it',
  ),
  'queue.unavailable': define(
    1,
    503,
    true,
    'the queue does not answer',
    'check that its server runs and can be reached, and its password',
  ),
  'queue.job_not_found': define(
    1,
    404,
    false,
    'there is no such job that waits or runs',
    '`holdfast jobs list` shows the jobs and their ids',
  ),
  'queue.job_given_up': define(
    1,
    500,
    false,
    'the workers that had the job died, one after the other',
    "see what ended them: the machine's memory (`dmesg`), its log, a limit of a container; then run `holdfast backup` there by hand",
  ),
  'access.unauthenticated': define(1, 401, false, 'log in first', 'log in, or send a token of the API'),
  'access.forbidden': define(
    1,
    403,
    false,
    'your role does not allow this',
    'ask an admin to do it, or for another role',
  ),
  'access.forged': define(
    1,
    403,
    false,
    'the form was not sent from this admin, or is too old',
    'load the page again, and send it once more',
  ),
  'access.wrong_login': define(1, 401, false, 'the name, the password or the code is wrong', 'try it again'),
  'access.factor_locked': define(
    1,
    503,
    false,
    'the key that second factors are sealed with is not here',
    'bring back `.holdfast/web.key` or `web.secret`; recovery codes work meanwhile',
  ),
  'access.limited': define(1, 429, true, 'there were too many tries', 'wait for a quarter of an hour'),
  'access.link_used': define(
    1,
    410,
    false,
    'this link was used, or is too old',
    'an admin makes a new one; for the first admin start `holdfast serve` again',
  ),
  'request.invalid': define(2, 400, false, 'the request is not valid', 'mend what is named'),
  'request.not_found': define(1, 404, false, 'there is nothing here', 'go back to the overview'),
  'request.too_large': define(1, 413, false, 'the request is larger than is allowed', 'send less, or raise the limit'),
  'request.too_slow': define(1, 408, true, 'the request came too slowly', 'send it again'),
  'request.conflict': define(1, 409, false, 'it has changed in the meantime', 'load it again'),
  'tool.not_found': define(1, 500, false, 'a program that is needed is not installed', 'install it'),
  'tool.too_old': define(
    1,
    500,
    false,
    'a program that is needed is older than the server',
    'install a version as new as the server',
  ),
  'tool.failed': define(1, 500, false, 'a program failed', 'see its message'),
  'tool.timeout': define(
    1,
    504,
    true,
    'a program did not end in its time',
    'see what it waits for, or give it more time',
  ),
  'drill.failed': define(
    1,
    422,
    false,
    'the archive did not pass its drill',
    'see what differs in `holdfast runs --kind drill --json`; make a new backup, and drill that',
  ),
  'hook.failed': define(
    1,
    500,
    false,
    'a hook of the configuration failed',
    'see its message; --no-hooks runs without hooks',
  ),
  'mask.failed': define(
    1,
    422,
    false,
    'a value cannot be masked',
    'mend the mask in the *.backup.ts of the model; nothing was restored',
  ),
  'notify.failed': define(
    1,
    502,
    false,
    'the notification was refused',
    'check its settings, then try it with `holdfast notify test`',
  ),
  'notify.unavailable': define(
    1,
    503,
    true,
    'the notification could not be delivered',
    'see whether the other side answers: `holdfast notify test`',
  ),
} as const satisfies Record<string, ErrorDefinition>;

/** A code of {@link errorTable}; it says why, not which call failed. */
export type ErrorCode = keyof typeof errorTable;

/** Facts for a program: paths, entries, blocks. Never a secret. */
export type ErrorContext = Readonly<Record<string, unknown>>;

/** Every error that Holdfast throws on purpose. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly exitCode: number;
  readonly httpStatus: number;
  readonly retryable: boolean;
  readonly hint: string;
  readonly context: ErrorContext;

  constructor(
    code: ErrorCode,
    options: { message?: string; hint?: string; context?: ErrorContext; cause?: unknown } = {},
  ) {
    const definition: ErrorDefinition = errorTable[code];
    super(options.message ?? definition.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.exitCode = definition.exitCode;
    this.httpStatus = definition.httpStatus;
    this.retryable = definition.retryable;
    this.hint = options.hint ?? definition.hint;
    this.context = options.context ?? {};
  }
}

/** Turns an aborted signal into `operation.interrupted`. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new HoldfastError('operation.interrupted', { cause: signal.reason });
}
