import type { ArchiveReader } from '../archive/archive-reader.ts';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { readGroups } from '../archive/read-groups.ts';
import { eachSideBySide, fromBothEnds } from '../archive/side-by-side.ts';
import { throwIfAborted } from '../errors.ts';
import type { TargetGroup } from './restore-targets.ts';
import type { ProgressMeter } from './run.ts';

/** Entries that are staged at once at most: each takes some MiB. */
const maximumParallelEntries = 4;

/** Entries of one target and phase, in the order in which they lie in the archive. */
interface Step {
  readonly group: TargetGroup;
  readonly phase: number;
  readonly entries: IndexEntry[];
}

/** What is staged one step after the other. */
function stepsOf(groups: readonly TargetGroup[]): Step[] {
  const steps: Step[] = [];
  for (const group of groups) {
    for (const entry of group.entries) {
      const phase = group.target.phaseOf?.(entry) ?? 0;
      const step = steps.find((known) => known.group === group && known.phase === phase);
      if (step === undefined) steps.push({ group, phase, entries: [entry] });
      else step.entries.push(entry);
    }
  }
  const placeOf = ({ runs: [first] }: IndexEntry) => first?.segment ?? -1;
  for (const { entries } of steps) entries.sort((a, b) => placeOf(a) - placeOf(b));
  return steps.sort((a, b) => a.phase - b.phase);
}

/**
 * Stages every entry of the groups: by the phases of their targets, and of each as many at once as it takes. Throws `archive.damaged` at the
 * first that is lost; nothing is under way then.
 */
export async function stageEntries(options: {
  readonly reader: ArchiveReader;
  readonly groups: readonly TargetGroup[];
  readonly meter: ProgressMeter;
  readonly signal: AbortSignal | undefined;
}): Promise<void> {
  const { reader, groups, meter, signal } = options;
  const steps = stepsOf(groups);
  const totalBytes = steps.flatMap(({ entries }) => entries).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  for (const { group, entries } of steps) {
    const atOnce = Math.min(group.target.parallelEntries ?? 1, maximumParallelEntries);
    const parts = readGroups(entries, atOnce);
    await eachSideBySide(atOnce === 1 ? parts : fromBothEnds(parts), {
      atOnce,
      signal,
      work: async (part, stopSignal) => {
        const segments = reader.segmentsFor(part, { sideBySide: atOnce });
        const bytesOf = async function* (entry: IndexEntry) {
          for await (const chunk of reader.read(entry, segments)) {
            throwIfAborted(stopSignal);
            yield chunk;
            doneBytes += chunk.length;
            meter.report({ phase: 'restore', doneBytes, totalBytes, entry: entry.path });
          }
        };
        try {
          for (const entry of part) {
            throwIfAborted(stopSignal);
            await group.target.stage(entry, bytesOf(entry));
          }
        } finally {
          segments.close();
        }
      },
    });
  }
}
