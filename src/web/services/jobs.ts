import { HoldfastError } from '../../errors.ts';
import { runOfProcess } from '../../history/run-queries.ts';
import type { BlockStep, RestoreAction } from '../../operation/options.ts';
import { requireRole } from '../access/roles.ts';
import type { WebUser } from '../web-environment.ts';
import { type EndedCommand, runCommand } from './child-command.ts';
import { type JobCommand, type JobCommands, roleOfJob } from './job-command.ts';
import { ProgressRecord } from './job-progress.ts';
import { type ServiceContext, shownErrorOf } from './service-context.ts';
import type { JobEvent, JobFacts, JobRequest, JobServices, LogLine } from './web-services.ts';

const rememberedJobs = 200;
const rememberedLines = 500;
/** Commands at once: each takes some hundred MiB. */
const jobsAtOnce = 4;
/** The clocks of the history and of this process are one, but it is rounded. */
const slackMs = 5000;

type Listener = (event: JobEvent) => void;

/** A job, while it runs and after. */
class Job {
  facts: JobFacts;
  readonly command: JobCommand;
  readonly ending = new AbortController();
  readonly listeners = new Set<Listener>();
  readonly progress = new ProgressRecord();
  ended: Promise<JobFacts> | undefined;

  constructor(facts: JobFacts, command: JobCommand) {
    this.facts = facts;
    this.command = command;
  }

  get isRunning(): boolean {
    return this.facts.state === 'running';
  }

  change(type: JobEvent['type'], changes: Partial<JobFacts>): void {
    this.facts = { ...this.facts, ...changes };
    // Lines are told as they come: with progress there would be hundreds of the same.
    const log = type === 'log' ? this.facts.log.slice(-1) : type === 'progress' ? [] : this.facts.log;
    for (const listener of this.listeners) listener({ type, job: { ...this.facts, log } });
  }

  addLine(line: LogLine): void {
    this.change('log', { log: [...this.facts.log, line].slice(-rememberedLines) });
  }
}

/** What others learn of jobs. */
export interface JobWatch {
  /** What a job finds of the blocks of an archive. */
  readonly onBlocks: (job: JobFacts, step: BlockStep) => void;
  readonly onEnded: (job: JobFacts, command: JobCommand) => void;
}

/** Runs commands for users, remembers how they went, and tells whoever looks on. */
export class Jobs implements JobServices {
  readonly #context: ServiceContext;
  readonly #commands: JobCommands;
  readonly #watch: JobWatch;
  /** The oldest first. */
  readonly #jobs = new Map<string, Job>();

  constructor(context: ServiceContext, commands: JobCommands, watch: JobWatch) {
    this.#context = context;
    this.#commands = commands;
    this.#watch = watch;
  }

  async start(user: WebUser, request: JobRequest): Promise<JobFacts> {
    const { kind } = request;
    const refuse = async (thrown: unknown): Promise<never> => {
      await this.#context.record(user, kind, '', shownErrorOf(thrown).code);
      throw thrown;
    };
    try {
      requireRole(user, roleOfJob[kind]);
    } catch (thrown) {
      return await refuse(thrown);
    }
    const command = this.#commands.of(user, request);
    const running = [...this.#jobs.values()].filter((job) => job.isRunning);
    if (running.some((job) => job.command.key === command.key)) {
      throw new HoldfastError('job.running', { context: { kind, subject: command.subject } });
    }
    if (running.length >= jobsAtOnce) {
      throw new HoldfastError('job.running', { message: `${running.length} jobs are under way: one more has to wait` });
    }
    const job = this.#add(user, kind, command);
    try {
      await this.#context.record(user, kind, command.subject);
    } catch (thrown) {
      // What nobody can be held to is not run, and stands in the way of no other.
      this.#jobs.delete(job.facts.id);
      job.change('ended', { state: 'failed', error: shownErrorOf(thrown), endedMs: this.#context.clock.nowMs() });
      throw thrown;
    }
    job.ended = this.#run(job);
    return job.facts;
  }

  list(): readonly JobFacts[] {
    return [...this.#jobs.values()].map(({ facts }) => facts).reverse();
  }

  get(id: string): JobFacts | undefined {
    return this.#jobs.get(id)?.facts;
  }

  /** The job that a run in the history is of, while it is remembered. */
  ofRun(runId: string): JobFacts | undefined {
    return this.list().find((job) => job.runId === runId);
  }

  async cancel(user: WebUser, id: string): Promise<void> {
    requireRole(user, 'operator');
    const job = this.#find(id);
    // Who may not start it may not stop it either: half a restore is somebody's decision.
    requireRole(user, roleOfJob[job.facts.kind]);
    await this.#context.record(user, `cancel ${job.facts.kind}`, job.facts.subject);
    job.ending.abort();
  }

  async *events(id: string, signal: AbortSignal): AsyncGenerator<JobEvent> {
    const job = this.#find(id);
    const waiting: JobEvent[] = [{ type: job.isRunning ? 'facts' : 'ended', job: job.facts }];
    let wake = Promise.withResolvers<void>();
    const stop = () => wake.resolve();
    const listener: Listener = (event) => {
      // Whoever reads slowly gets the newest step, not all of them.
      if (event.type === 'progress' && waiting.at(-1)?.type === 'progress') waiting.pop();
      waiting.push(event);
      wake.resolve();
    };
    if (job.isRunning) job.listeners.add(listener);
    signal.addEventListener('abort', stop, { once: true });
    try {
      while (!signal.aborted) {
        const event = waiting.shift();
        if (event === undefined) {
          await wake.promise;
          wake = Promise.withResolvers<void>();
          continue;
        }
        yield event;
        if (event.type === 'ended') return;
      }
    } finally {
      job.listeners.delete(listener);
      signal.removeEventListener('abort', stop);
    }
  }

  async ended(id: string, signal?: AbortSignal): Promise<JobFacts> {
    const job = this.#find(id);
    for await (const event of this.events(id, signal ?? new AbortController().signal)) {
      if (event.type === 'ended') return event.job;
    }
    return job.facts;
  }

  /** Asks all to end, and waits until they have. */
  async close(): Promise<void> {
    const running = [...this.#jobs.values()].filter((job) => job.isRunning);
    for (const job of running) job.ending.abort();
    await Promise.all(running.map((job) => job.ended));
  }

  #find(id: string): Job {
    const job = this.#jobs.get(id);
    if (job !== undefined) return job;
    throw new HoldfastError('request.not_found', { message: 'this job is no longer remembered', hint: 'see the runs' });
  }

  #add(user: WebUser, kind: JobFacts['kind'], command: JobCommand): Job {
    const id = this.#context.access.newId();
    const { subject, place } = command;
    const facts: JobFacts = {
      id,
      kind,
      subject,
      ...(place && { place }),
      startedBy: user.name,
      startedMs: this.#context.clock.nowMs(),
      state: 'running',
      log: [],
    };
    const job = new Job(facts, command);
    this.#jobs.set(id, job);
    for (const [old, { isRunning }] of this.#jobs) {
      if (this.#jobs.size <= rememberedJobs) break;
      if (!isRunning) this.#jobs.delete(old);
    }
    return job;
  }

  /** Never throws: how it ended is told. */
  async #run(job: Job): Promise<JobFacts> {
    const { context, changes } = { context: this.#context, changes: await this.#runCommand(job) };
    const runId = job.facts.runId ?? changes.runId;
    job.change('ended', { ...changes, endedMs: context.clock.nowMs(), ...(runId === undefined ? {} : { runId }) });
    try {
      this.#watch.onEnded(job.facts, job.command);
    } catch (error) {
      context.log(`after a job: ${String(error)}`);
    }
    return job.facts;
  }

  async #runCommand(job: Job): Promise<Partial<JobFacts>> {
    const { clock, folder, environment } = this.#context;
    const { words, secrets, input } = job.command;
    let processId: number | undefined;
    const runId = async () => {
      const found = await this.#runOf(processId, job.facts.startedMs);
      return found === undefined ? {} : { runId: found };
    };
    try {
      const ended = await runCommand(
        {
          words,
          folder,
          environment,
          ...(secrets && { secrets }),
          ...(input && { input }),
          signal: job.ending.signal,
          onProgress: (progress) => {
            if (job.progress.current === undefined) this.#linkRun(job, runId);
            job.progress.see(progress, clock.monotonicMs());
            const { current } = job.progress;
            if (current !== undefined) job.change('progress', { progress: current });
          },
          onBlocks: (step) => this.#watch.onBlocks(job.facts, step),
          onLine: (text) => job.addLine({ timeMs: clock.nowMs(), text }),
        },
        (id) => {
          processId = id;
        },
      );
      return { ...outcomeOf(ended), ...(await runId()) };
    } catch (thrown) {
      const error = shownErrorOf(thrown);
      const state = error.code === 'operation.interrupted' ? 'interrupted' : 'failed';
      return { state, error, ...(await runId()) };
    }
  }

  /** Once it is under way its run is in the history. */
  #linkRun(job: Job, find: () => Promise<{ runId?: string }>): void {
    find().then(
      (found) => {
        if (found.runId !== undefined && job.isRunning) job.change('facts', found);
      },
      (error: unknown) => this.#context.log(`the run of a job is not found: ${String(error)}`),
    );
  }

  async #runOf(processId: number | undefined, startedMs: number): Promise<string | undefined> {
    if (processId === undefined) return undefined;
    try {
      return await runOfProcess(this.#context.history.database, processId, startedMs - slackMs);
    } catch (error) {
      // What the job did counts, whether the history can be read or not.
      this.#context.log(`the run of a job is not found: ${String(error)}`);
      return undefined;
    }
  }
}

/** Exit codes of commands that did their work: 3 with something left out, 10 and 11 with damage found. */
const incompleteCodes: readonly number[] = [3, 10];

function outcomeOf({ exitCode, result, error }: EndedCommand): Partial<JobFacts> {
  if (error !== undefined) {
    const state = error.code === 'operation.interrupted' ? 'interrupted' : 'failed';
    return { state, error: shownErrorOf(error) };
  }
  const actions = result?.['actions'];
  const known = {
    ...(result && { result }),
    ...(Array.isArray(actions) ? { actions: actions as RestoreAction[] } : {}),
  };
  if (exitCode === 0) return { ...known, state: 'succeeded' };
  if (incompleteCodes.includes(exitCode)) return { ...known, state: 'incomplete' };
  const failure = new HoldfastError(exitCode === 11 ? 'archive.damaged' : 'operation.failed', {
    ...(exitCode === 11 ? {} : { message: `the command ended with ${exitCode}`, hint: 'see its log' }),
  });
  return { ...known, state: 'failed', error: shownErrorOf(failure) };
}
