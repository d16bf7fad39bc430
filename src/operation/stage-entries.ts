import type { ArchiveReader } from '../archive/archive-reader.ts';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { sideBySide, splitBySize } from '../archive/side-by-side.ts';
import { throwIfAborted } from '../errors.ts';
import type { TargetGroup } from './restore-targets.ts';
import type { ProgressMeter } from './run.ts';

interface Staging {
  readonly reader: ArchiveReader;
  readonly groups: readonly TargetGroup[];
  readonly meter: ProgressMeter;
  readonly signal: AbortSignal | undefined;
}

/** Entries of one target and phase. */
interface Step {
  readonly group: TargetGroup;
  readonly phase: number;
  readonly entries: IndexEntry[];
}

/** What is staged one step after the other: the phases of the targets, and in each the entries in the order in which they lie in the archive. */
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
 * Stages every entry of the groups; of a target that takes several at once, parts of about the same size side by side. Throws
 * `archive.damaged` at the first that is lost; nothing is under way then.
 */
export async function stageEntries(staging: Staging): Promise<void> {
  const { reader, groups, meter } = staging;
  const steps = stepsOf(groups);
  const totalBytes = steps.flatMap(({ entries }) => entries).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  for (const { group, entries } of steps) {
    const parts = splitBySize(entries, group.target.parallelEntries ?? 1);
    await sideBySide(parts, staging.signal, async (part, signal) => {
      const segments = reader.segmentsFor(part, { sideBySide: parts.length });
      const bytesOf = async function* (entry: IndexEntry) {
        for await (const chunk of reader.read(entry, segments)) {
          yield chunk;
          throwIfAborted(signal);
          doneBytes += chunk.length;
          meter.report({ phase: 'restore', doneBytes, totalBytes, entry: entry.path });
        }
      };
      try {
        for (const entry of part) {
          throwIfAborted(signal);
          await group.target.stage(entry, bytesOf(entry));
        }
      } finally {
        segments.close();
      }
    });
  }
}
