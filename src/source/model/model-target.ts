import type { Clock } from '../../clock.ts';
import { systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import type { Secret } from '../../secret.ts';
import type { RestorableEntry, RestoreTarget, TargetChange } from '../target.ts';
import type { ModelSchema } from './model-schema.ts';
import type { ModelWriter } from './restore/model-writer.ts';
import { naturalKeysOf } from './restore/natural-keys.ts';
import { openModelWriter } from './restore/open-writer.ts';
import { planRestore } from './restore/plan-restore.ts';
import { parseRenames } from './restore/renames.ts';
import type { LoadPlan, ModelCounts, OnConflict, RestorePlan } from './restore/restore-plan.ts';

const defaultTimeoutMs = 60_000;

/** How models are restored. */
export interface ModelRestoreSettings {
  /** `fail` unless set. */
  readonly onConflict?: OnConflict;
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
}

/** Where models go. */
export interface ModelTargetOptions extends ModelRestoreSettings {
  readonly url: Secret;
  readonly schema: ModelSchema;
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
  #counts: ModelCounts[] = [];
  #removedRows = 0;
  #hasBegun = false;

  constructor(options: ModelTargetOptions) {
    this.#options = options;
  }

  /** What is needed before what needs it. */
  phaseOf({ metadata }: RestorableEntry): number {
    const { level } = metadata;
    return typeof level === 'number' && Number.isInteger(level) && level >= 0 ? level + 1 : 0;
  }

  async plan(entries: readonly RestorableEntry[]): Promise<TargetChange> {
    const { url, schema, timeoutMs = defaultTimeoutMs, clock = systemClock, random = systemRandom } = this.#options;
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
          return [model, { isFiltered: metadata['filtered'] === true }] as const;
        }),
    );
    const writer = await openModelWriter({ url, timeoutMs, clock, random });
    this.#writer = writer;
    const { onConflict = 'fail', flush = false, createSchema = false } = this.#options;
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
    this.#notes = [...planned.notes, ...(await writer.remarks(planned.plan))];
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
    const counts = await writer.load(load, bytes);
    const { rows } = entry.metadata;
    const isWaiting = 'waiting' in counts;
    const found = isWaiting ? counts.waiting : counts.inserted + counts.updated + counts.skipped;
    if (typeof rows === 'number' && rows !== found) {
      throw new HoldfastError('archive.corrupt', {
        message: `${entry.path} tells of ${rows} rows, and holds ${found}`,
        context: { path: entry.path },
      });
    }
    if (!isWaiting) this.#counts.push(counts);
  }

  async rehearse(): Promise<TargetChange> {
    const { writer } = this.#planned();
    if (this.#hasBegun) this.#counts.push(...(await writer.finish()));
    await this.abort();
    return this.#change();
  }

  async commit(): Promise<TargetChange> {
    const { writer } = this.#planned();
    if (this.#hasBegun) {
      this.#counts.push(...(await writer.finish()));
      await writer.commit();
    }
    this.#writer = undefined;
    return this.#change();
  }

  async abort(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.rollback();
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

function loadOf(plan: RestorePlan, { kind, metadata }: RestorableEntry): LoadPlan | undefined {
  if (kind !== 'model') return undefined;
  return plan.loads.find(({ source }) => source.name === metadata['model']);
}
