import type { CatalogueWriter } from '../catalogue/catalogue-writer.ts';
import { cataloguedStorage } from '../catalogue/catalogued-storage.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type { History } from '../history/history.ts';
import { isViolation } from '../operation/catalogue-finding.ts';
import type { CatalogueReport } from '../operation/verify-catalogue.ts';
import { systemRandom } from '../random.ts';
import type { CommandContext } from './command-context.ts';
import type { OpenedStorage } from './open-storages.ts';
import { toHoldfastError } from './print-error.ts';
import { printNote } from './print-result.ts';
import { catalogueKeyPath, existingHistory, openConfiguredHistory } from './record.ts';

/** The storages, each with its catalogue unless the configuration does without. Nothing is opened for it before something is written. */
export function withCatalogues(
  opened: readonly OpenedStorage[],
  loaded: LoadedConfig,
  context: CommandContext,
): OpenedStorage[] {
  if (loaded.config.catalogue === false) return [...opened];
  const access = new CatalogueAccess(loaded, context, opened.length);
  return opened.map((one) => {
    const storage = cataloguedStorage(one.storage, {
      name: one.name,
      open: async () => (await access.open()).writer,
      onProblem: (error) => access.note(one.name, error),
      onClose: () => access.release(),
    });
    return { ...one, storage };
  });
}

/** The history and the key that catalogues are written with; opened once, and closed with the last storage. */
class CatalogueAccess {
  readonly #loaded: LoadedConfig;
  readonly #context: CommandContext;
  readonly #noted = new Set<string>();
  #users: number;
  #opening: Promise<{ history: History; writer: CatalogueWriter }> | undefined;

  constructor(loaded: LoadedConfig, context: CommandContext, users: number) {
    this.#loaded = loaded;
    this.#context = context;
    this.#users = users;
  }

  open(): Promise<{ history: History; writer: CatalogueWriter }> {
    this.#opening ??= openCatalogueWriter(this.#loaded, this.#context);
    return this.#opening;
  }

  /** Once for each storage and reason. */
  note(storage: string, error: unknown): void {
    const { message, code } = toHoldfastError(error);
    const text = `${storage}: its catalogue does not have all of this yet: ${message} [${code}]`;
    if (!this.#noted.has(text)) printNote(this.#context, text);
    this.#noted.add(text);
  }

  async release(): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0 || this.#opening === undefined) return;
    const opened = await this.#opening.catch(() => undefined);
    await opened?.history.close();
  }
}

/** What writes catalogues, with its history, which is to be closed. */
export async function openCatalogueWriter(
  loaded: LoadedConfig,
  context: CommandContext,
): Promise<{ history: History; writer: CatalogueWriter }> {
  const { CatalogueWriter } = await import('../catalogue/catalogue-writer.ts');
  const { signingKey } = await import('../catalogue/signing-key.ts');
  const history = await openConfiguredHistory(loaded);
  try {
    const writer = new CatalogueWriter({
      state: history.catalogue,
      key: await signingKey(catalogueKeyPath(loaded)),
      clock: context.clock,
      random: systemRandom,
      onRollback: (message) => printNote(context, message),
    });
    return { history, writer };
  } catch (error) {
    await history.close();
    throw error;
  }
}

/** The public half of this machine's key, where there is one. */
export async function ownPublicKey(loaded: LoadedConfig): Promise<string | undefined> {
  const { existingKey } = await import('../catalogue/signing-key.ts');
  const { publicKeyText } = await import('../catalogue/catalogue-record.ts');
  const key = await existingKey(catalogueKeyPath(loaded));
  return key && publicKeyText(key);
}

/** How far this machine's catalogues have come, as its history knows: nothing that can be had from the storages alone. It never throws. */
export async function ownHeads(
  loaded: LoadedConfig | undefined,
  context: CommandContext,
): Promise<{ readonly storage: string; readonly head: string }[]> {
  if (loaded === undefined || loaded.config.catalogue === false) return [];
  try {
    const own = await ownPublicKey(loaded);
    if (own === undefined) return [];
    const history = await existingHistory(loaded, context, 'how far the catalogues are is not known');
    try {
      const heads = (await history?.catalogue.heads()) ?? [];
      return heads.flatMap(({ storage, head, publicKey }) => (publicKey === own ? [{ storage, head }] : []));
    } finally {
      await history?.close();
    }
  } catch (thrown) {
    const { message, code } = toHoldfastError(thrown);
    printNote(context, `how far the catalogues are is not known: ${message} [${code}]`);
    return [];
  }
}

/**
 * Holds storages against their catalogues beside what a command does. Undefined where there is none, or with a note, where it cannot be
 * done.
 */
export async function lookAtCatalogues(
  storages: readonly OpenedStorage[],
  loaded: LoadedConfig,
  level: 'names' | 'headers',
  context: CommandContext,
): Promise<CatalogueReport | undefined> {
  if (loaded.config.catalogue === false) return undefined;
  const history = await existingHistory(loaded, context);
  if (history === undefined) return undefined;
  try {
    const state = history.catalogue;
    if ((await state.chains()).length === 0) return undefined;
    const { verifyCatalogue } = await import('../operation/verify-catalogue.ts');
    const { signal, clock } = context;
    return await verifyCatalogue({ storages, state, level, ownPublicKey: await ownPublicKey(loaded), signal, clock });
  } catch (error) {
    if (context.signal.aborted) throw error;
    const { message, code } = toHoldfastError(error);
    printNote(context, `the catalogue could not be looked at: ${message} [${code}]`);
    return undefined;
  } finally {
    await history.close();
  }
}

/** Findings that are told one by one; of more only the number. */
const toldFindings = 10;

/** Tells what somebody changed on the storages, as notes. What is only not known for sure is for `catalogue verify`. */
export function noteFindings(report: CatalogueReport | undefined, context: CommandContext): void {
  const violations = (report?.findings ?? []).filter(isViolation);
  for (const { storage, name, kind, message } of violations.slice(0, toldFindings)) {
    const place = [storage, name].filter((part) => part !== undefined && part !== '').join(': ');
    printNote(context, `catalogue: ${place}: ${message} (${kind.replaceAll('_', ' ')})`);
  }
  const more = violations.length - toldFindings;
  if (more > 0) printNote(context, `catalogue: and ${more} more; see \`holdfast catalogue verify\``);
}

/** 14 where somebody changed what is on a storage, 3 where something is not known for sure. */
export function catalogueExitCode(report: Pick<CatalogueReport, 'isViolated' | 'findings' | 'failedStorages'>): number {
  if (report.isViolated) return 14;
  return report.findings.length > 0 || report.failedStorages.length > 0 ? 3 : 0;
}

/** What somebody changed on the storages, as one error; undefined where nobody did. */
export function violationError({ findings }: Pick<CatalogueReport, 'findings'>): HoldfastError | undefined {
  const violations = findings.filter(isViolation);
  const [first] = violations;
  if (first === undefined) return undefined;
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : '';
  const place = [first.storage, first.name].filter((part) => part !== undefined && part !== '').join(': ');
  return new HoldfastError('catalogue.violated', {
    message: `${place}: ${first.message}${more}`,
    context: { findings: violations },
  });
}
