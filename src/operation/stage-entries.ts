import { type ArchiveReader, readTogetherBytes } from '../archive/archive-reader.ts';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { readGroups } from '../archive/read-groups.ts';
import type { SegmentReader } from '../archive/segment-reader.ts';
import { eachSideBySide, fromBothEnds } from '../archive/side-by-side.ts';
import { throwIfAborted } from '../errors.ts';
import type { RestoreTarget } from '../source/target.ts';
import type { TargetGroup } from './restore-targets.ts';
import type { ProgressMeter } from './run.ts';

/** Entries that are staged at once at most: each takes some MiB. */
const maximumParallelEntries = 4;
/** Larger entries are worth a call of their own. */
const mostSmallBytes = 64 * 1024;
/** Small entries of one call. */
const mostTogether = 64;

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

/** Small entries that are staged with one call, or one entry. */
interface Call {
  readonly entries: readonly [IndexEntry, ...IndexEntry[]];
  readonly isTogether: boolean;
}

/** In order, as many small entries in one call as may be. */
function* callsOf(entries: readonly IndexEntry[], target: RestoreTarget): Generator<Call> {
  const isSmall = (entry: IndexEntry) => entry.sizeBytes <= mostSmallBytes && target.isStagedTogether?.(entry) === true;
  for (let index = 0; index < entries.length; ) {
    const call: [IndexEntry, ...IndexEntry[]] = [entries[index] as IndexEntry];
    const isTogether = isSmall(call[0]);
    index += 1;
    let sizeBytes = call[0].sizeBytes;
    for (; isTogether && index < entries.length && call.length < mostTogether; index++) {
      const next = entries[index] as IndexEntry;
      sizeBytes += next.sizeBytes;
      if (sizeBytes > readTogetherBytes || !isSmall(next)) break;
      call.push(next);
    }
    yield { entries: call, isTogether };
  }
}

interface Staging {
  readonly reader: ArchiveReader;
  readonly target: RestoreTarget;
  readonly segments: SegmentReader;
  readonly signal: AbortSignal;
  readonly onBytes: (entry: IndexEntry, bytes: number) => void;
}

async function stagePart(part: readonly IndexEntry[], staging: Staging): Promise<void> {
  const { reader, target, segments, signal, onBytes } = staging;
  const bytesOf = async function* (entry: IndexEntry) {
    for await (const chunk of reader.read(entry, segments)) {
      throwIfAborted(signal);
      yield chunk;
      onBytes(entry, chunk.length);
    }
  };
  for (const { entries, isTogether } of callsOf(part, target)) {
    throwIfAborted(signal);
    const [first] = entries;
    if (!isTogether) {
      await target.stage(first, bytesOf(first));
      continue;
    }
    await reader.readTogether(entries, segments, async (bytes) => {
      throwIfAborted(signal);
      await target.stageTogether?.(entries, bytes);
      onBytes(first, bytes.length);
    });
  }
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
    const atOnce = reader.store.isSequential ? 1 : Math.min(group.target.parallelEntries ?? 1, maximumParallelEntries);
    const parts = readGroups(entries, atOnce);
    await eachSideBySide(atOnce === 1 ? parts : fromBothEnds(parts), {
      atOnce,
      signal,
      work: async (part, stopSignal) => {
        const segments = reader.segmentsFor(part, { sideBySide: atOnce });
        const onBytes = (entry: IndexEntry, bytes: number) => {
          doneBytes += bytes;
          meter.report({ phase: 'restore', doneBytes, totalBytes, entry: entry.path });
        };
        try {
          await stagePart(part, { reader, target: group.target, segments, signal: stopSignal, onBytes });
        } finally {
          segments.close();
        }
      },
    });
  }
}
