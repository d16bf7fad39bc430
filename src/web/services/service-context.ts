import { dirname } from 'node:path';
import { configuredSources } from '../../cli/backup-request.ts';
import type { SourceRequest } from '../../cli/collect-sources.ts';
import type { Clock } from '../../clock.ts';
import { archiveName, defaultFilenameTemplate, environmentInName } from '../../config/archive-name.ts';
import { configuredEnvironment } from '../../config/configured-environment.ts';
import { type ConfiguredStorage, configuredStorages } from '../../config/configured-storages.ts';
import type { LoadedConfig } from '../../config/load-config.ts';
import { openConfiguredStorage } from '../../config/open-configured-storage.ts';
import { configOfJob, configuredJobs } from '../../config/scheduled-jobs.ts';
import { HoldfastError } from '../../errors.ts';
import type { History } from '../../history/history.ts';
import { errorReport } from '../../operation/error-report.ts';
import { type ArchiveSeries, archiveSeriesReader } from '../../policy/archive-series.ts';
import { systemTimezone } from '../../policy/local-time.ts';
import type { Random } from '../../random.ts';
import { isStorage } from '../../storage/is-storage.ts';
import type { Storage } from '../../storage/storage.ts';
import type { AccessStore } from '../access/access-store.ts';
import { addressOf } from '../access/user-address.ts';
import type { WebUser } from '../web-environment.ts';
import { RunDigest } from './run-digest.ts';
import type { ShownError } from './web-services.ts';

/** What {@link ServiceContext} is made of. */
export interface ServiceContextOptions {
  readonly loaded: LoadedConfig;
  readonly history: History;
  readonly access: AccessStore;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly isScheduling?: boolean;
  /** Told what nobody waits for. */
  readonly log: (text: string) => void;
}

/** A storage of the configuration, opened when it is used first. */
export interface WebStorage {
  readonly configured: ConfiguredStorage;
  /** The folder of a local one. */
  readonly folder: string | undefined;
  open(): Promise<Storage>;
}

/** What all services share: the configuration, the history, and the storages. */
export class ServiceContext {
  readonly loaded: LoadedConfig;
  readonly history: History;
  readonly access: AccessStore;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly isScheduling: boolean;
  readonly log: (text: string) => void;
  readonly digest: RunDigest;
  /** What a name tells; undefined where it tells nothing. */
  readonly readName: (name: string) => ArchiveSeries | undefined;
  readonly storages: readonly WebStorage[];
  /** That days are counted in: of the schedule, else of this machine. */
  readonly timezone: string;
  readonly #opened = new Map<string, Promise<Storage>>();

  constructor(options: ServiceContextOptions) {
    this.loaded = options.loaded;
    this.history = options.history;
    this.access = options.access;
    this.environment = options.environment;
    this.clock = options.clock;
    this.random = options.random;
    this.isScheduling = options.isScheduling ?? false;
    this.log = options.log;
    this.digest = new RunDigest(options.history);
    const { config } = this.loaded;
    const environment = environmentInName(configuredEnvironment(config, this.environment));
    const template = config.filenameTemplate ?? defaultFilenameTemplate;
    this.readName = archiveSeriesReader({ template, environment }) ?? (() => undefined);
    this.timezone = config.schedule?.timezone ?? systemTimezone();
    const whole = configuredStorages(config).filter(({ isShard }) => isShard !== true);
    this.storages = whole.map((configured) => this.#storageOf(configured));
  }

  /** The folder of the configuration: commands run there. */
  get folder(): string {
    return dirname(this.loaded.file);
  }

  /** A storage by its name. Throws `request.not_found`, and what opening throws. */
  async storage(name: string): Promise<Storage> {
    const found = this.storages.find(({ configured }) => configured.name === name);
    if (found !== undefined) return await found.open();
    throw new HoldfastError('request.not_found', { message: `there is no storage ${name}`, hint: 'see the settings' });
  }

  /** What `{database}` stands for in the names of what a job makes: of the archive, or of the plain dump of one database. */
  seriesOf(job: string, plainAlias?: string): string {
    const names = plainAlias === undefined ? namesOf(this.#archived(job)) : [plainAlias];
    return archiveName('{database}', { names, createdMs: 0, environment: 'default' }, '');
  }

  /** Whether a database is kept in a plain dump of its own. */
  isPlain({ format }: { readonly format?: string | undefined }): boolean {
    return (format ?? this.loaded.config.format) === 'plain';
  }

  /** Writes down who did what. */
  async record(user: WebUser, action: string, subject: string, outcome = 'done'): Promise<void> {
    await this.access.record(user, addressOf(user), { action, subject, outcome });
  }

  async close(): Promise<void> {
    for (const opened of this.#opened.values()) {
      await opened.then(
        (storage) => storage.close(),
        () => undefined,
      );
    }
  }

  #archived(job: string): SourceRequest[] {
    const { config } = this.loaded;
    if (!configuredJobs(config).some(({ name }) => name === job)) return [];
    return configuredSources({ ...this.loaded, config: configOfJob(config, job) }).filter(
      (request) => !('url' in request && this.isPlain(request)),
    );
  }

  #storageOf(configured: ConfiguredStorage): WebStorage {
    const { name, given } = configured;
    const folder = !isStorage(given) && given.backend === 'local' ? given.path : undefined;
    const open = async () => {
      let opening = this.#opened.get(name);
      if (opening === undefined) {
        const { clock, environment } = this;
        opening = openConfiguredStorage(configured, { folder: this.folder, clock, environment });
        this.#opened.set(name, opening);
        // One that could not be opened is tried again the next time.
        opening.catch(() => this.#opened.delete(name));
      }
      return await opening;
    };
    return { configured, folder, open };
  }
}

function namesOf(requests: readonly SourceRequest[]): string[] {
  const nameOf = (request: SourceRequest) => {
    if (!('path' in request)) return request.name ?? '';
    return (
      request.name ??
      request.path
        .split('/')
        .filter((part) => part !== '')
        .at(-1) ??
      ''
    );
  };
  const databases = requests.filter((request) => !('path' in request));
  return (databases.length > 0 ? databases : requests).map(nameOf);
}

/** An error as it is shown. */
export function shownErrorOf(thrown: unknown): ShownError {
  const { code, message, hint } = errorReport(thrown);
  return { code, message, hint };
}
