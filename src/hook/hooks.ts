import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { CommandProgram } from '../source/command/command-program.ts';
import { RunningProgram } from '../source/command/running-program.ts';

/** When a hook runs. */
export type HookEvent = 'before-backup' | 'after-backup' | 'before-restore' | 'after-restore';

/** What a hook is told. */
export interface HookInfo {
  readonly event: HookEvent;
  readonly environment: string;
  /** What is backed up, or the archive that is restored. */
  readonly subject: string;
  /** After a run: how it ended. `incomplete`: something was left out, is suspect, or is not on every storage. */
  readonly outcome?: 'success' | 'incomplete' | 'failure';
  /** After a run that failed. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** A hook as a function of the configuration; the signal is aborted when the run is ended. */
export type HookFunction = (info: HookInfo & { readonly signal?: AbortSignal }) => unknown;

/** A hook: a function, or a program, which is told by the variables HOLDFAST_EVENT, HOLDFAST_SUBJECT, HOLDFAST_OUTCOME, HOLDFAST_ERROR. */
export type Hook = HookFunction | Pick<CommandProgram, 'command' | 'environment' | 'timeoutMs'>;

const defaultTimeoutMs = 60 * 60 * 1000;

/** Runs a hook to its end. Throws `hook.failed`, `operation.interrupted`. */
export async function runHook(hook: Hook, info: HookInfo, signal?: AbortSignal): Promise<void> {
  throwIfAborted(signal);
  try {
    if (typeof hook === 'function') await untilAborted(hook({ ...info, ...(signal && { signal }) }), signal);
    else await runProgram(hook, info, signal);
  } catch (cause) {
    throwIfAborted(signal);
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('hook.failed', { message: `the hook ${info.event} failed: ${message}`, cause });
  }
}

async function runProgram(
  hook: Exclude<Hook, HookFunction>,
  { event, environment, subject, outcome, error }: HookInfo,
  signal: AbortSignal | undefined,
): Promise<void> {
  const variables = {
    HOLDFAST_EVENT: event,
    HOLDFAST_ENVIRONMENT: environment,
    HOLDFAST_SUBJECT: subject,
    ...(outcome === undefined ? {} : { HOLDFAST_OUTCOME: outcome }),
    ...(error === undefined ? {} : { HOLDFAST_ERROR: error.code }),
  };
  const program = new RunningProgram({ timeoutMs: defaultTimeoutMs, ...hook, variables }, 'input', signal);
  try {
    program.finishInput();
    await program.end();
  } finally {
    await program.kill();
  }
}

/** A function that does not heed the signal is left behind. */
async function untilAborted(result: unknown, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return void (await result);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new HoldfastError('operation.interrupted'));
  signal.addEventListener('abort', onAbort);
  try {
    await Promise.race([result, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** The hooks around one run. */
export interface HookedRun {
  readonly before?: Hook | undefined;
  readonly after?: Hook | undefined;
  readonly kind: 'backup' | 'restore';
  readonly environment: string;
  readonly subject: string;
  readonly signal?: AbortSignal;
}

/** What the work between two hooks gave. */
export interface Hooked<Result> {
  readonly result: Result;
  /** Of the hook after it: the work was done all the same. */
  readonly hookError?: HoldfastError;
}

/**
 * Runs work between its hooks. When the one before fails, the work is not begun, and that is thrown. The one after runs whenever the one
 * before was begun, however the work ended, so that what the first one stopped is started again; a run that was ended waits for it too.
 */
export async function withHooks<Result>(
  run: HookedRun,
  work: () => Promise<Result>,
  outcomeOf: (result: Result) => 'success' | 'incomplete',
): Promise<Hooked<Result>> {
  const { before, after, kind, environment, subject, signal } = run;
  const common = { environment, subject };
  let result: Result;
  try {
    if (before !== undefined) await runHook(before, { event: `before-${kind}`, ...common }, signal);
    result = await work();
  } catch (thrown) {
    const { code = 'operation.failed', message = String(thrown) } = thrown as Partial<HoldfastError>;
    const info = { event: `after-${kind}`, ...common, outcome: 'failure', error: { code, message } } as const;
    // The signal is aborted already where someone ended the run.
    const failure = after === undefined ? undefined : await settled(runHook(after, info));
    if (failure === undefined || !(thrown instanceof HoldfastError)) throw thrown;
    throw new HoldfastError(thrown.code, {
      message: `${thrown.message}; ${failure.message}`,
      hint: thrown.hint,
      context: thrown.context,
      cause: thrown,
    });
  }
  const info = { event: `after-${kind}`, ...common, outcome: outcomeOf(result) } as const;
  const hookError = after === undefined ? undefined : await settled(runHook(after, info));
  return { result, ...(hookError === undefined ? {} : { hookError }) };
}

async function settled(running: Promise<void>): Promise<HoldfastError | undefined> {
  return await running.then(
    () => undefined,
    (error: unknown) => error as HoldfastError,
  );
}
