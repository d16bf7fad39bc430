/** What happens in a simulated world: decided beforehand from a seed, so that it can be told, cut down and played again. */
import type { ErrorCode } from '../../src/errors.ts';

/** What a world is like. */
export interface WorldSettings {
  /** Places of archives: of a spread world the first is that over which it spreads them, the others hold them whole. */
  readonly storageCount: number;
  /** Over how many storages of their own the first place lays archives: any `data` of its shards give one back. */
  readonly spread?: { readonly data: number; readonly parity: number };
  readonly databases: readonly string[];
  readonly copies: number;
  readonly dataBlocks: number;
  readonly parityBlocks: number;
  readonly key: 'none' | 'recipient' | 'passphrase';
  readonly compression: 'none' | 'zstd' | 'gzip';
  /** Whether calls that fail for a moment are repeated, as the configuration has it unless told otherwise. */
  readonly repeatsCalls: boolean;
  readonly keepLast: number;
  readonly keepDaily: number;
  readonly maxTotalSizeBytes?: number;
  /** Whether applications have a real SQLite database as well, and how it keeps its journal. */
  readonly sqlite?: 'wal' | 'delete';
}

/** The storages of a world, those among which archives are spread counted each. */
export function machineCount({ storageCount, spread }: WorldSettings): number {
  return spread === undefined ? storageCount : storageCount - 1 + spread.data + spread.parity;
}

/** Something that goes wrong at a storage while one step is done. `at` counts calls of the kind that the fault is for, from 1. */
export type StorageFault = { readonly machine: number } & (
  | { readonly kind: 'away' }
  | { readonly kind: 'call-fails'; readonly at: number; readonly times: number; readonly code: ErrorCode }
  | { readonly kind: 'call-slow'; readonly at: number; readonly durationMs: number }
  | {
      readonly kind: 'write-torn' | 'write-dropped' | 'write-doubled' | 'write-swapped' | 'write-rots';
      readonly at: number;
    }
  | { readonly kind: 'write-full'; readonly at: number }
  | { readonly kind: 'commit-lost' | 'commit-answer-lost' | 'delete-answer-lost'; readonly at: number }
  | { readonly kind: 'read-flips' | 'read-short' | 'read-bad-sector'; readonly at: number }
  | { readonly kind: 'list-breaks' | 'list-hides' | 'list-shuffled' | 'list-doubled' }
);

/** What goes wrong at a source. */
export type SourceFault =
  | { readonly kind: 'source-fails'; readonly at: number }
  | { readonly kind: 'source-no-end-mark' | 'source-exit-status' }
  | { readonly kind: 'source-gone' | 'source-empty' | 'source-shrinks' | 'source-changes' };

/** What goes wrong with the process itself. */
export type ProcessFault =
  | { readonly kind: 'dies'; readonly at: number }
  | { readonly kind: 'interrupted'; readonly at: number }
  | { readonly kind: 'history-away' }
  | { readonly kind: 'clock-jumps'; readonly at: number; readonly byMs: number };

export type Fault = StorageFault | SourceFault | ProcessFault;

/** An archive on a storage: the `pick`th of those that are there, counted round. */
interface Choice {
  readonly storage: number;
  readonly pick: number;
}

/** One thing that a user, a schedule or the world does. */
export type Action =
  | {
      readonly action: 'backup';
      readonly database: number;
      readonly storages: readonly number[];
      readonly usesProgram: boolean;
    }
  | { readonly action: 'prune' }
  | { readonly action: 'scrub'; readonly restoreMissing: boolean }
  | { readonly action: 'sync'; readonly from: number; readonly to: number }
  | ({ readonly action: 'repair'; readonly fromOthers: boolean } & Choice)
  | ({ readonly action: 'verify'; readonly level: 'structure' | 'contents' } & Choice)
  | ({
      readonly action: 'restore';
      readonly overwrite: boolean;
      readonly fromOthers: boolean;
      readonly partial: boolean;
    } & Choice)
  | ({ readonly action: 'key'; readonly change: 'add' | 'remove' } & Choice)
  | ({ readonly action: 'pin' | 'unpin' | 'delete' } & Choice)
  | ({ readonly action: 'damage'; readonly damage: DamageKind; readonly share: number; readonly salt: number } & Choice)
  | ({ readonly action: 'lose' } & Choice)
  | { readonly action: 'lose-all'; readonly machine: number }
  | { readonly action: 'set-clock'; readonly byMs: number }
  | { readonly action: 'wait'; readonly durationMs: number };

/** How an archive at rest is damaged. `share` (0 to 1) is how much of the file, or how far in. */
export type DamageKind =
  | 'bits'
  | 'sectors'
  | 'burst'
  | 'same-place'
  | 'cut-tail'
  | 'inserted'
  | 'removed'
  | 'swapped'
  | 'headers'
  | 'emptied';

/** An action with what goes wrong meanwhile. With `beside` two processes are at work at once; `turns` decides who goes on. */
export interface Step {
  readonly does: Action;
  readonly faults: readonly Fault[];
  readonly beside?: { readonly does: Action; readonly faults: readonly Fault[]; readonly turns: number };
}

/** All that happens in one world. */
export interface Plan {
  readonly seed: number;
  readonly world: WorldSettings;
  readonly steps: readonly Step[];
}

/** Where a part of a plan stands that can be left out: a step, what is done beside it, or a fault of either. */
interface Part {
  readonly step: number;
  readonly of: 'step' | 'beside';
  readonly fault?: number;
}

/** The parts of a plan that can be left out, in order. A number in this list means the same part each time. */
function partsOf({ steps }: Plan): Part[] {
  return steps.flatMap((step, index) => [
    { step: index, of: 'step' as const },
    ...step.faults.map((_, fault) => ({ step: index, of: 'step' as const, fault })),
    ...(step.beside === undefined
      ? []
      : [
          { step: index, of: 'beside' as const },
          ...step.beside.faults.map((_, fault) => ({ step: index, of: 'beside' as const, fault })),
        ]),
  ]);
}

/** How many parts of a plan can be left out. */
export function partCount(plan: Plan): number {
  return partsOf(plan).length;
}

/** The plan without some of its parts. Nothing else of it changes. */
export function without(plan: Plan, dropped: ReadonlySet<number>): Plan {
  const gone = new Set(partsOf(plan).flatMap((part, number) => (dropped.has(number) ? [keyOf(part)] : [])));
  const isGone = (step: number, of: Part['of'], fault?: number) =>
    gone.has(keyOf({ step, of, ...(fault === undefined ? {} : { fault }) }));
  const steps = plan.steps.flatMap((step, index): Step[] => {
    const faults = step.faults.filter((_, fault) => !isGone(index, 'step', fault));
    const beside =
      step.beside === undefined || isGone(index, 'beside')
        ? undefined
        : { ...step.beside, faults: step.beside.faults.filter((_, fault) => !isGone(index, 'beside', fault)) };
    if (!isGone(index, 'step')) return [{ does: step.does, faults, ...(beside && { beside }) }];
    return beside === undefined ? [] : [{ does: beside.does, faults: beside.faults }];
  });
  return { ...plan, steps };
}

function keyOf({ step, of, fault }: Part): string {
  return `${step} ${of} ${fault ?? ''}`;
}
