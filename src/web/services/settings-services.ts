import { resolve } from 'node:path';
import { shownConfiguration } from '../../cli/config-command.ts';
import { timeoutSignal } from '../../clock.ts';
import { configuredJobs } from '../../config/scheduled-jobs.ts';
import { freeSpace } from '../../disk/free-space.ts';
import { HoldfastError } from '../../errors.ts';
import { checkStorage, type StorageCheckReport } from '../../operation/check-storage.ts';
import type { Diagnosis } from '../../operation/doctor.ts';
import { nextRuns, readSchedule } from '../../policy/schedule.ts';
import { isStorage } from '../../storage/is-storage.ts';
import { requireRole } from '../access/roles.ts';
import type { WebUser } from '../web-environment.ts';
import type { ArchiveSnapshot } from './archive-list.ts';
import type { Archives } from './archive-services.ts';
import { runCommand } from './child-command.ts';
import type { ServiceContext, WebStorage } from './service-context.ts';
import type { NotifierFacts, SettingsServices, StorageFacts, StorageServices } from './web-services.ts';

const shownRuns = 3;
/** A command that only looks is given up after so long. */
const lookTimeoutMs = 5 * 60_000;

interface Total {
  count: number;
  sizeBytes: number;
}

const knownTotals = new WeakMap<ArchiveSnapshot, ReadonlyMap<string, Total>>();

/** What lies on each storage, added up once for each list. */
function totalsOf(snapshot: ArchiveSnapshot): ReadonlyMap<string, Total> {
  const known = knownTotals.get(snapshot);
  if (known !== undefined) return known;
  const totals = new Map<string, Total>();
  for (const { replicas } of snapshot.archives) {
    for (const { storage, sizeBytes } of replicas) {
      const total = totals.get(storage) ?? { count: 0, sizeBytes: 0 };
      total.count++;
      total.sizeBytes += sizeBytes;
      totals.set(storage, total);
    }
  }
  knownTotals.set(snapshot, totals);
  return totals;
}

/** The storages of the configuration. */
export class Storages implements StorageServices {
  readonly #context: ServiceContext;
  readonly #archives: Archives;
  readonly #checks = new Map<string, StorageCheckReport & { readonly checkedMs: number }>();
  readonly #checking = new Set<string>();

  constructor(context: ServiceContext, archives: Archives) {
    this.#context = context;
    this.#archives = archives;
  }

  async list(): Promise<readonly StorageFacts[]> {
    const snapshot = await this.#archives.snapshot();
    const { failed } = snapshot;
    const totals = totalsOf(snapshot);
    return await Promise.all(
      this.#context.storages.map(async (storage) => {
        const { name, enabled } = storage.configured;
        const error = failed.find((one) => one.storage === name)?.error;
        const lastCheck = this.#checks.get(name);
        return {
          name,
          enabled,
          ...(await this.#describe(storage, error !== undefined)),
          archiveCount: totals.get(name)?.count ?? 0,
          totalSizeBytes: totals.get(name)?.sizeBytes ?? 0,
          ...(error && { error }),
          ...(lastCheck && { lastCheck }),
        };
      }),
    );
  }

  async check(user: WebUser, name: string): Promise<StorageCheckReport> {
    requireRole(user, 'operator');
    const storage = await this.#context.storage(name);
    if (this.#checking.has(name))
      throw new HoldfastError('job.running', { message: `${name} is being checked already` });
    this.#checking.add(name);
    try {
      const { clock, random } = this.#context;
      const report = await checkStorage({ storage, clock, random });
      this.#checks.set(name, { ...report, checkedMs: clock.nowMs() });
      await this.#context.record(user, 'check a storage', name, report.passed ? 'done' : 'failed');
      return report;
    } finally {
      this.#checking.delete(name);
    }
  }

  /** One that failed already, or is not used, is not opened to be described. */
  async #describe({ configured, folder, open }: WebStorage, hasFailed: boolean) {
    const { given, enabled } = configured;
    const backend = isStorage(given) ? given.properties.backend : given.backend;
    if (!enabled || hasFailed) return { backend, place: folder ?? '', warnings: [] };
    const { properties } = await open();
    const free = folder === undefined ? undefined : await this.#freeBytes(folder);
    const { place, warnings } = properties;
    return { backend, place, warnings, ...(free === undefined ? {} : { freeBytes: free }) };
  }

  async #freeBytes(folder: string): Promise<number | undefined> {
    try {
      return (await freeSpace(resolve(this.#context.folder, folder))).freeBytes;
    } catch {
      // The folder is made by the first backup.
      return undefined;
    }
  }
}

/** What the configuration says, and what can be tried of it. */
export class Settings implements SettingsServices {
  readonly #context: ServiceContext;

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  async configuration() {
    return await shownConfiguration(this.#context.folder, this.#context.environment);
  }

  async jobs() {
    const nowMs = this.#context.clock.nowMs();
    return configuredJobs(this.#context.loaded.config).map(({ name, enabled, times }) => {
      const schedule = readSchedule(times);
      const nextMs = enabled ? nextRuns(schedule, nowMs, shownRuns) : [];
      return { job: name, enabled, schedule: schedule.text, timezone: schedule.timezone, nextMs };
    });
  }

  async notifiers(): Promise<readonly NotifierFacts[]> {
    const { openSubscriptions } = await import('../../config/notification-settings.ts');
    const { config, file } = this.#context.loaded;
    const subscriptions = await openSubscriptions(config, file);
    return subscriptions.map(({ notifier, events }) => ({ type: notifier.type, events: [...events] }));
  }

  async testNotifiers(user: WebUser, type?: string) {
    requireRole(user, 'admin');
    const known = await this.notifiers();
    if (type !== undefined && !known.some((notifier) => notifier.type === type)) {
      throw new HoldfastError('request.not_found', { message: 'no notifications of this type are configured' });
    }
    const chosen = type === undefined ? [] : ['--type', type];
    const result = await this.#look(['notify', 'test', ...chosen, '--json']);
    await this.#context.record(user, 'test notifications', type ?? 'all');
    const deliveries = (result['deliveries'] ?? []) as readonly {
      readonly type: string;
      readonly sent: boolean;
      readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
    }[];
    return deliveries.map(({ type: kind, sent, error }) => ({
      type: kind,
      delivered: sent,
      ...(error && { error: { code: error.code, message: error.message, hint: error.hint ?? '' } }),
    }));
  }

  async doctor(user: WebUser): Promise<readonly Diagnosis[]> {
    requireRole(user, 'operator');
    const result = await this.#look(['doctor', '--json']);
    await this.#context.record(user, 'doctor', '');
    return (result['checks'] ?? []) as readonly Diagnosis[];
  }

  async #look(words: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    const { folder, environment } = this.#context;
    const signal = timeoutSignal(lookTimeoutMs);
    const { result, error, exitCode } = await runCommand({ words, folder, environment, signal });
    if (error !== undefined) throw error;
    if (result !== undefined) return result;
    throw new HoldfastError('operation.failed', { message: `holdfast ${words[0]} ended with ${exitCode}` });
  }
}
