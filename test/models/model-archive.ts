/** Models that go through an archive and come back, and what stands in a database as models see it. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createBackup } from '../../src/operation/backup.ts';
import type { BackupReport, RestoreReport } from '../../src/operation/options.ts';
import { restoreBackup } from '../../src/operation/restore.ts';
import { Secret } from '../../src/secret.ts';
import type { DatabaseSourceOptions } from '../../src/source/database-options.ts';
import { type Model, storedColumns } from '../../src/source/model/model.ts';
import { readModelSchema } from '../../src/source/model/model-schema.ts';
import type { ModelSettings } from '../../src/source/model/model-settings.ts';
import { ModelSource } from '../../src/source/model/model-source.ts';
import { type ModelRestoreSettings, ModelTarget } from '../../src/source/model/model-target.ts';
import { openModelReader } from '../../src/source/model/open-reader.ts';
import type { LineValue } from '../../src/source/model/tagged-value.ts';
import type { RestorableEntry, TargetChange } from '../../src/source/target.ts';

/** A folder of its own for the archives of a test. */
export class ModelArchives {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-models-'));
  #count = 0;

  /** A path that nothing stands at, nor beside: an archive is compared with those in its folder. */
  path(name: string): string {
    this.#count += 1;
    const folder = join(this.folder, String(this.#count));
    mkdirSync(folder);
    return join(folder, name);
  }

  /** Gives the path of the archive. */
  async backUp(
    url: string,
    models: ModelSettings = {},
    more: Omit<DatabaseSourceOptions, 'url' | 'models'> = {},
  ): Promise<{ readonly archive: string; readonly report: BackupReport }> {
    const output = this.path('rows.holdfast');
    const source = new ModelSource({ url: new Secret(url), models, ...more });
    const report = await createBackup({ sources: [source], output, encryption: 'none', copies: 1, threads: 0 });
    return { archive: output, report };
  }

  async restore(
    archive: string,
    to: string,
    models: ModelRestoreSettings = {},
    more: { readonly dryRun?: boolean; readonly only?: readonly string[] } = {},
  ): Promise<RestoreReport> {
    return await restoreBackup({ archive, to: [to], models, threads: 0, ...more });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Models on their way without an archive, which takes its time: what a source gives, kept in memory. */
export interface KeptModels {
  readonly entries: readonly { readonly entry: RestorableEntry; readonly chunks: readonly Uint8Array[] }[];
  readonly rowCount: number;
  readonly notes: readonly string[];
}

export async function keepModels(
  url: string,
  models: ModelSettings = {},
  more: Omit<DatabaseSourceOptions, 'url' | 'models'> = {},
): Promise<KeptModels> {
  const source = new ModelSource({ url: new Secret(url), models, ...more });
  const notes: string[] = [];
  const entries: { readonly entry: RestorableEntry; readonly chunks: readonly Uint8Array[] }[] = [];
  const note = (text: string) => void notes.push(text);
  const report = (problem: { readonly message: string }) => assert.fail(problem.message);
  let rowCount = 0;
  try {
    for await (const entry of source.entries({ temporaryFolder: tmpdir(), note, report })) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of entry.open?.(undefined) ?? []) chunks.push(Uint8Array.from(chunk));
      const { path, kind, metadata } = entry;
      const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      entries.push({ entry: { path, kind, metadata: structuredClone(metadata), sizeBytes }, chunks });
      rowCount += Number(metadata['rows'] ?? 0);
    }
  } finally {
    await source.close();
  }
  return { entries, rowCount, notes };
}

/** Restores them; `only` names models. */
export async function putModels(
  kept: KeptModels,
  to: string,
  settings: ModelRestoreSettings = {},
  more: { readonly dryRun?: boolean; readonly only?: readonly string[] } = {},
): Promise<TargetChange> {
  const [first] = kept.entries;
  assert.ok(first);
  const schema = readModelSchema(Buffer.concat(first.chunks), first.entry.path);
  const maskSecret = Buffer.alloc(32, 7);
  const target = new ModelTarget({ url: new Secret(to), schema, maskSecret, ...settings });
  const { only } = more;
  const entries = kept.entries.filter(({ entry }) => only?.includes(String(entry.metadata['model'])) !== false);
  try {
    await target.plan(entries.map(({ entry }) => entry));
    const ordered = entries.toSorted((a, b) => target.phaseOf(a.entry) - target.phaseOf(b.entry));
    for (const { entry, chunks } of ordered) await target.stage(entry, Readable.from(chunks));
    return await (more.dryRun === true ? target.rehearse() : target.commit());
  } catch (error) {
    await target.abort();
    throw error;
  }
}

/** What a database holds. */
export interface ModelContents {
  readonly models: readonly Model[];
  /** The lines of each model, sorted. */
  readonly lines: ReadonlyMap<string, readonly string[]>;
}

export async function contentsOf(url: string): Promise<ModelContents> {
  const reader = await openModelReader({ url: new Secret(url), timeoutMs: 10_000 });
  try {
    const { models } = await reader.discover();
    const lines = new Map<string, readonly string[]>();
    for (const model of models) {
      const chunks: Buffer[] = [];
      for await (const chunk of reader.rows(model, {}).bytes(undefined)) chunks.push(Buffer.from(chunk));
      lines.set(model.name, Buffer.concat(chunks).toString('utf8').split('\n').slice(0, -1).sort());
    }
    return { models, lines };
  } finally {
    await reader.close();
  }
}

/** The rows with values whose form does not depend on the engine: `2.00` and `2` are one number. */
export function alike(contents: ModelContents): ReadonlyMap<string, readonly string[]> {
  const { models, lines } = contents;
  return new Map(
    models.map((model) => {
      const kinds = storedColumns(model).map(({ type }) => type.kind);
      const rows = (lines.get(model.name) ?? []).map((line) => {
        const values = JSON.parse(line) as LineValue[];
        return JSON.stringify(
          values.map((value, index) => {
            const isNumber = ['decimal', 'float', 'integer'].includes(kinds[index] ?? '');
            return isNumber && typeof value === 'string' ? String(Number(value)) : value;
          }),
        );
      });
      return [model.name, rows.sort()];
    }),
  );
}
