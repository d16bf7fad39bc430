import { mainJob } from '../../config/job-names.ts';
import { redactText } from '../../config/redact.ts';
import { configuredJobs } from '../../config/scheduled-jobs.ts';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { checkObjectName } from '../../storage/object-name.ts';
import type { Role, WebUser } from '../web-environment.ts';
import { restoreTargetName } from './restore-target.ts';
import type { ServiceContext } from './service-context.ts';
import type { Uploads } from './uploads.ts';
import type { ArchivePlace, GivenKeys, JobKind, JobRequest, RestoreSource } from './web-services.ts';

/** A job as the command line runs it. */
export interface JobCommand {
  readonly words: readonly string[];
  readonly secrets?: Readonly<Record<string, Secret>>;
  readonly input?: Secret;
  /** For people. */
  readonly subject: string;
  readonly place?: ArchivePlace;
  /** Of two of one key the later is refused. */
  readonly key: string;
  /** Whether it changes what lies on the storages. */
  readonly changesArchives: boolean;
}

/** The least role that may start a job. */
export const roleOfJob: Readonly<Record<JobKind, Role>> = {
  backup: 'operator',
  verify: 'operator',
  inspect: 'operator',
  verifyUpload: 'operator',
  scrub: 'operator',
  drill: 'operator',
  push: 'operator',
  delete: 'admin',
  prune: 'admin',
  restore: 'admin',
  undo: 'admin',
};

function invalid(message: string, hint = 'see what can be chosen'): HoldfastError {
  return new HoldfastError('request.invalid', { message, hint });
}

/** How a job is run. Throws `request.invalid`, `request.not_found`, `request.conflict`. */
export class JobCommands {
  readonly #context: ServiceContext;
  readonly #uploads: Uploads;

  constructor(context: ServiceContext, uploads: Uploads) {
    this.#context = context;
    this.#uploads = uploads;
  }

  of(user: WebUser, request: JobRequest): JobCommand {
    switch (request.kind) {
      case 'backup':
        return this.#backup(request.job ?? mainJob);
      case 'verify':
      case 'inspect':
      case 'drill':
        return this.#look(request);
      case 'verifyUpload':
        return this.#verifyUpload(user, request);
      case 'scrub':
        return this.#scrub(request);
      case 'push':
        return this.#push(request);
      case 'delete':
        return this.#delete(request);
      case 'prune': {
        const words = ['prune', request.dryRun === true ? '--dry-run' : '--yes', '--json'];
        return { words, subject: '', key: 'prune', changesArchives: request.dryRun !== true };
      }
      case 'restore':
        return this.#restore(user, request);
      case 'undo':
        return undo(request);
    }
  }

  #backup(job: string): JobCommand {
    const known = configuredJobs(this.#context.loaded.config).map(({ name }) => name);
    if (!known.includes(job)) throw invalid(`there is no job ${job}`, `there are ${known.join(', ') || 'none'}`);
    return { words: ['backup', '--job', job, '--json'], subject: job, key: `backup ${job}`, changesArchives: true };
  }

  #look(request: Extract<JobRequest, { kind: 'verify' | 'inspect' | 'drill' }>): JobCommand {
    const { kind } = request;
    const place = this.#place(request);
    const level = request.kind === 'verify' && request.level !== undefined ? ['--level', request.level] : [];
    const keys = keysFor(request.kind === 'inspect' ? undefined : request.keys);
    return {
      words: [kind, '--storage', place.storage, ...level, ...keys.words, '--json', '--', place.name],
      ...keys.secret,
      subject: `${place.name} (${place.storage})`,
      place,
      key: `${kind} ${place.storage}/${place.name}`,
      changesArchives: false,
    };
  }

  #verifyUpload(user: WebUser, { upload, keys }: Extract<JobRequest, { kind: 'verifyUpload' }>): JobCommand {
    const { path, name } = this.#uploads.complete(user, upload);
    const { words, secret } = keysFor(keys);
    const common = { ...secret, subject: name, key: `verifyUpload ${upload}`, changesArchives: false };
    return { words: ['verify', ...words, '--json', '--', path], ...common };
  }

  #scrub({ storages, dryRun }: Extract<JobRequest, { kind: 'scrub' }>): JobCommand {
    const chosen = (storages ?? []).map((name) => this.#storageName(name));
    const dry = dryRun === true ? ['--dry-run'] : [];
    return {
      words: ['scrub', ...chosen.flatMap((name) => ['--storage', name]), ...dry, '--json'],
      subject: chosen.join(', '),
      key: 'scrub',
      changesArchives: dryRun !== true,
    };
  }

  #push(request: Extract<JobRequest, { kind: 'push' }>): JobCommand {
    const place = this.#place(request);
    const to = this.#storageName(request.to);
    return {
      words: [
        'push',
        '--archive-storage',
        place.storage,
        '--storage',
        to,
        '--name',
        place.name,
        '--json',
        '--',
        place.name,
      ],
      subject: `${place.name} (${place.storage} → ${to})`,
      place,
      key: `push ${to}/${place.name}`,
      changesArchives: true,
    };
  }

  #delete({ storages, name, confirm }: Extract<JobRequest, { kind: 'delete' }>): JobCommand {
    confirmed(name, confirm);
    checkObjectName(name);
    if (storages.length === 0) throw invalid('it is not said from which storages it is removed');
    const chosen = storages.map((storage) => this.#storageName(storage));
    return {
      words: ['delete', ...chosen.flatMap((storage) => ['--storage', storage]), '--yes', '--json', '--', name],
      subject: `${name} (${chosen.join(', ')})`,
      key: `delete ${name}`,
      changesArchives: true,
    };
  }

  #restore(user: WebUser, request: Extract<JobRequest, { kind: 'restore' }>): JobCommand {
    const { from, keys, to = [], filesTo, mode, only = [], overwrite, partial, dryRun, confirm } = request;
    const source = this.#source(user, from);
    // Without a target the command says what is missing.
    if (dryRun !== true) confirmed(restoreTargetName(request) ?? source.name, confirm);
    const given = keysFor(keys);
    const urls = Object.fromEntries(to.map((url, index) => [`HOLDFAST_TO_${index + 1}`, new Secret(url)]));
    const { input, secrets } = given.secret;
    return {
      words: [
        'restore',
        ...source.words,
        ...Object.keys(urls).flatMap((name) => ['--to-env', name]),
        ...(filesTo === undefined ? [] : [`--files-to=${filesTo}`]),
        ...(mode === undefined ? [] : ['--mode', mode]),
        ...only.map((glob) => `--only=${glob}`),
        ...(overwrite === true ? ['--overwrite'] : []),
        ...(partial === true ? ['--partial'] : []),
        dryRun === true ? '--dry-run' : '--yes',
        ...given.words,
        '--json',
        '--',
        source.argument,
      ],
      secrets: { ...secrets, ...urls },
      ...(input && { input }),
      subject: source.name,
      ...(source.place && { place: source.place }),
      // Two that change something at once would be in each other's way, whatever they restore.
      key: dryRun === true ? `restore dry ${source.name}` : 'restore',
      changesArchives: false,
    };
  }

  #source(user: WebUser, from: RestoreSource) {
    if ('upload' in from) {
      const { path, name } = this.#uploads.complete(user, from.upload);
      return { words: [], argument: path, name, place: undefined };
    }
    const place = this.#place(from);
    return { words: ['--storage', place.storage], argument: place.name, name: place.name, place };
  }

  #place({ storage, name }: ArchivePlace): ArchivePlace {
    checkObjectName(name);
    return { storage: this.#storageName(storage), name };
  }

  #storageName(name: string): string {
    if (this.#context.storages.some(({ configured }) => configured.name === name)) return name;
    throw new HoldfastError('request.not_found', { message: `there is no storage ${name}`, hint: 'see the settings' });
  }
}

function confirmed(name: string, confirm: string | undefined): void {
  if (confirm === name) return;
  throw invalid(`the name that was typed is not ${name}: nothing was changed`, 'type the whole name');
}

function undo({ to, files, dryRun }: Extract<JobRequest, { kind: 'undo' }>): JobCommand {
  if ((to === undefined) === (files === undefined)) throw invalid('an undo has one target: a database or files');
  const dry = dryRun === true ? '--dry-run' : '--yes';
  const target = files === undefined ? ['--to-env', 'HOLDFAST_TO_1'] : [`--files=${files}`];
  return {
    words: ['undo', ...target, dry, '--json'],
    ...(to === undefined ? {} : { secrets: { HOLDFAST_TO_1: new Secret(to) } }),
    subject: files ?? redactText(to ?? ''),
    key: 'restore',
    changesArchives: false,
  };
}

/** Keys go by the environment and by the standard input of the process: neither is in any list. */
function keysFor(keys: GivenKeys | undefined): {
  readonly words: readonly string[];
  readonly secret: { readonly secrets?: Readonly<Record<string, Secret>>; readonly input?: Secret };
} {
  const { passphrase, identities = [] } = keys ?? {};
  const input = identities.map((identity) => identity.reveal()).join('\n');
  return {
    words: input === '' ? [] : ['--identity-file', '-'],
    secret: {
      ...(passphrase === undefined ? {} : { secrets: { HOLDFAST_PASSPHRASE: passphrase } }),
      ...(input === '' ? {} : { input: new Secret(input) }),
    },
  };
}
