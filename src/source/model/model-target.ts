import type { Clock } from '../../clock.ts';
import { systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import type { Secret } from '../../secret.ts';
import type { RestorableEntry, RestoreTarget, TargetChange } from '../target.ts';
import type { Application } from './join-models.ts';
import { maskKey } from './mask/create-masker.ts';
import { type ChangedLines, changedLines } from './mask/mask-lines.ts';
import { type ModelMasks, type PlannedMasks, planMasks } from './mask/plan-masks.ts';
import type { ModelSchema } from './model-schema.ts';
import { keepRows } from './restore/archived-rows.ts';
import type { ModelWriter } from './restore/model-writer.ts';
import { naturalKeysOf } from './restore/natural-keys.ts';
import { openModelWriter } from './restore/open-writer.ts';
import { planRestore } from './restore/plan-restore.ts';
import { parseRenames } from './restore/renames.ts';
import type { LoadPlan, ModelCounts, OnConflict, RestorePlan } from './restore/restore-plan.ts';

const defaultTimeoutMs = 60_000;

/** How models are restored. */
export interface ModelRestoreSettings {
  /** `fail` unless set; with `row` it is `skip`. */
  readonly onConflict?: OnConflict;
  /**
   * `invoice:42`, `membership:7,12` for a key of two columns: that row alone, and all rows that it needs by its foreign keys, as far as they stand in
   * the archive; of the archive's files those that these rows name. What is there already stays unless `onConflict` says otherwise.
   */
  readonly row?: string;
  /** With `row`: the rows that belong to it, too, and what these need. */
  readonly withOwned?: boolean;
  /** Empties the tables that the archive holds whole first; false unless set. */
  readonly flush?: boolean;
  /** Makes tables that are not there; false unless set. */
  readonly createSchema?: boolean;
  /** `model=table`, `model.column=column`, `model.column=` for one that is left out. */
  readonly renames?: readonly string[];
  /**
   * `user:email`, `permission:content_type_id,codename`: with `skip` and `update`, rows of this model are known by this unique key; they keep the
   * numbers that they have in the target, and what names them follows. In place of what the archive says of that model.
   */
  readonly naturalKeys?: readonly string[];
  /** Masks values as the registrations of this application say; none are masked unless set. */
  readonly mask?: Application;
}

/** Where models go. */
export interface ModelTargetOptions extends ModelRestoreSettings {
  readonly url: Secret;
  readonly schema: ModelSchema;
  /** By model, the keys of the rows that are restored; all rows unless set. */
  readonly rows?: ReadonlyMap<string, ReadonlySet<string>>;
  /** Of the archive's other databases. */
  readonly otherSchemas?: readonly ModelSchema[];
  /** With `mask`: what only this archive has, and who reads the masked rows has not. */
  readonly maskSecret?: Uint8Array;
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * Models on their way into a database of any engine, in one transaction: until it ends, and where it does not, all is as it was. Tables that the
 * archive does not hold are left alone.
 */
export class ModelTarget implements RestoreTarget {
  readonly #options: ModelTargetOptions;
  #writer: ModelWriter | undefined;
  #plan: RestorePlan | undefined;
  #notes: readonly string[] = [];
  #masks: PlannedMasks = { models: new Map(), notes: [] };
  #counts: ModelCounts[] = [];
  /** What is known of rows that wait for others, by model. */
  readonly #waiting = new Map<string, { readonly masked?: number }>();
  #removedRows = 0;
  #hasBegun = false;
  #isFinished = false;

  constructor(options: ModelTargetOptions) {
    this.#options = options;
  }

  /** What is needed before what needs it. */
  phaseOf({ metadata }: RestorableEntry): number {
    const { level } = metadata;
    return typeof level === 'number' && Number.isInteger(level) && level >= 0 ? level + 1 : 0;
  }

  async plan(entries: readonly RestorableEntry[]): Promise<TargetChange> {
    const {
      url,
      schema,
      rows,
      timeoutMs = defaultTimeoutMs,
      clock = systemClock,
      random = systemRandom,
    } = this.#options;
    const models = schema.models.map(({ name }) => name);
    const renames = parseRenames(this.#options.renames ?? [], models);
    const naturalKeys = naturalKeysOf(schema.models, this.#options.naturalKeys ?? []);
    const chosen = new Map(
      entries
        .filter(({ kind }) => kind === 'model')
        .map(({ metadata, path }) => {
          const { model } = metadata;
          if (typeof model !== 'string' || !models.includes(model)) {
            throw new HoldfastError('archive.corrupt', { message: `${path} belongs to no model of its schema` });
          }
          return [model, { isFiltered: rows !== undefined || metadata['filtered'] === true }] as const;
        }),
    );
    const writer = await openModelWriter({ url, timeoutMs, clock, random });
    this.#writer = writer;
    const { onConflict = rows === undefined ? 'fail' : 'skip', flush = false, createSchema = false } = this.#options;
    const there = await writer.discover();
    const planned = planRestore({
      schema,
      chosen,
      engine: writer.engine,
      there,
      onConflict,
      flush,
      createSchema,
      renames,
      naturalKeys,
    });
    this.#plan = planned.plan;
    const { mask: application, otherSchemas = [] } = this.#options;
    if (application !== undefined) {
      this.#masks = await planMasks({ application, schema, otherSchemas, loads: planned.plan.loads });
    }
    this.#notes = [...planned.notes, ...this.#masks.notes, ...(await writer.remarks(planned.plan))];
    return this.#change();
  }

  async stage(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const { writer, plan } = this.#planned();
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#removedRows = await writer.begin(plan);
    }
    const load = loadOf(plan, entry);
    if (load === undefined) {
      // The schema was read before: its bytes are looked at once more, as all that is restored.
      for await (const _ of bytes);
      return;
    }
    const keys = this.#options.rows?.get(load.source.name);
    const chosen = keys === undefined ? bytes : keepRows(load.source, keys, bytes);
    const lines = this.#linesOf(load);
    const masks = this.#masks.models.get(load.source.name);
    const loading = () => writer.load(load, lines === undefined ? chosen : lines.apply(chosen));
    const counts = await explainMasks(loading, masks === undefined ? [] : [masks]);
    const rows = keys?.size ?? entry.metadata['rows'];
    const isWaiting = 'waiting' in counts;
    const found = isWaiting ? counts.waiting : counts.inserted + counts.updated + counts.skipped;
    if (typeof rows === 'number' && rows !== found) {
      throw new HoldfastError('archive.corrupt', {
        message: `${entry.path} tells of ${rows} rows, and holds ${found}`,
        context: { path: entry.path },
      });
    }
    const masked = masks === undefined ? {} : { masked: lines?.maskedCount ?? 0 };
    if (isWaiting) this.#waiting.set(load.source.name, masked);
    else this.#counts.push({ ...counts, ...masked });
  }

  async rehearse(): Promise<TargetChange> {
    await this.place();
    await this.abort();
    return this.#change();
  }

  /** All but the end of the transaction. */
  async place(): Promise<TargetChange> {
    const { writer } = this.#planned();
    if (this.#hasBegun && !this.#isFinished) {
      const counts = await explainMasks(() => writer.finish(), [...this.#masks.models.values()]);
      this.#counts.push(...counts.map((one) => ({ ...one, ...this.#waiting.get(one.model) })));
    }
    this.#isFinished = true;
    return this.#change();
  }

  async commit(): Promise<TargetChange> {
    await this.place();
    const { writer } = this.#planned();
    if (this.#hasBegun) await writer.commit();
    this.#writer = undefined;
    return this.#change();
  }

  async abort(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.rollback();
  }

  #linesOf(load: LoadPlan): ChangedLines | undefined {
    const model = this.#masks.models.get(load.source.name);
    const { maskSecret } = this.#options;
    if (model === undefined) return changedLines(load, undefined);
    if (maskSecret !== undefined) return changedLines(load, { model, key: maskKey(maskSecret) });
    throw new HoldfastError('target.invalid', { message: 'there is no secret to mask with' });
  }

  #planned(): { readonly writer: ModelWriter; readonly plan: RestorePlan } {
    const [writer, plan] = [this.#writer, this.#plan];
    if (writer !== undefined && plan !== undefined) return { writer, plan };
    throw new HoldfastError('target.invalid', { message: 'nothing was planned for these models' });
  }

  #change(): TargetChange {
    const target = this.#label ?? '';
    const made = this.#plan?.creates.length ?? 0;
    return {
      target,
      action: made > 0 && made === this.#plan?.loads.length ? 'create' : 'merge',
      ...(this.#notes.length > 0 ? { notes: this.#notes } : {}),
      ...(this.#hasBegun ? { models: this.#counts, removedRows: this.#removedRows } : {}),
    };
  }

  get #label(): string | undefined {
    if (this.#writer !== undefined) this.#shown = this.#writer.label;
    return this.#shown;
  }

  #shown: string | undefined;
}

/** A conflict of keys that masks may have made is told with these. */
async function explainMasks<Result>(work: () => Promise<Result>, masks: readonly ModelMasks[]): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const keys = masks.flatMap((model) => model.keys);
    const isOfKeys = error instanceof HoldfastError && ['target.exists', 'target.invalid'].includes(error.code);
    if (!isOfKeys || keys.length === 0) throw error;
    const shown = keys.slice(0, 3).join('; ');
    throw new HoldfastError('mask.failed', {
      message: `${error.message}. ${shown}`,
      hint: 'mend the mask in the *.backup.ts; nothing was restored',
      context: { ...error.context, keys },
      cause: error,
    });
  }
}

function loadOf(plan: RestorePlan, { kind, metadata }: RestorableEntry): LoadPlan | undefined {
  if (kind !== 'model') return undefined;
  return plan.loads.find(({ source }) => source.name === metadata['model']);
}
