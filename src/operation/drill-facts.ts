import type { RunRecord } from '../history/run-record.ts';

/** How the last drill of an archive came out, or of any archive of a database. */
export interface DrillFact {
  readonly isProven: boolean;
  readonly atMs: number;
}

/** What the history tells of drills. */
export interface DrillFacts {
  /** By the archive's place (`Storage.url`): that of the last drill which came to its end. */
  readonly byArchive: ReadonlyMap<string, DrillFact>;
  /** By the name of backups: the last one that proved something, and the last one of all. */
  readonly bySeries: ReadonlyMap<string, { readonly provenMs?: number; readonly last: DrillFact }>;
}

/** Gathers them of runs that come newest first. */
export function drillFacts(runs: readonly RunRecord[]): DrillFacts {
  const byArchive = new Map<string, DrillFact>();
  const bySeries = new Map<string, { provenMs?: number; last: DrillFact }>();
  for (const { kind, state, proof, database, endedMs, startedMs, archives } of runs) {
    if (kind !== 'drill' || state === 'running') continue;
    const fact = { isProven: proof?.isProven === true, atMs: endedMs ?? startedMs };
    if (proof !== undefined) {
      for (const { url } of archives) if (!byArchive.has(url)) byArchive.set(url, fact);
    }
    if (database === undefined) continue;
    const known = bySeries.get(database) ?? { last: fact };
    if (fact.isProven) known.provenMs ??= fact.atMs;
    bySeries.set(database, known);
  }
  return { byArchive, bySeries };
}
