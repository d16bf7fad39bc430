import { hostname } from 'node:os';
import { type Clock, systemClock } from '../clock.ts';
import type { HoldfastError } from '../errors.ts';
import { type Random, systemRandom } from '../random.ts';
import type { Notification, NotificationEvent } from './notification.ts';

/** What every notification of a run says besides. */
export interface NotificationContext {
  readonly environment: string;
  /** Where to look: it goes into each notification. */
  readonly link?: string | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
}

type Facts = readonly (readonly [string, string | undefined])[];

function make(
  parts: {
    readonly event: NotificationEvent;
    readonly title: string;
    readonly text: string;
    readonly facts: Facts;
    readonly whatToDo?: string;
  },
  { environment, link, clock = systemClock, random = systemRandom }: NotificationContext,
): Notification {
  const all: Facts = [...parts.facts, ['Environment', environment], ['Machine', hostname()]];
  return {
    ...parts,
    id: Buffer.from(random.bytes(16)).toString('hex'),
    occurredMs: clock.nowMs(),
    facts: all.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value] as const])),
    ...(link === undefined ? {} : { link }),
  };
}

/** How an operation failed: `backup of shop`. */
export function failureNotification(
  what: string,
  error: Pick<HoldfastError, 'code' | 'message' | 'hint'>,
  context: NotificationContext,
): Notification {
  const { code, message, hint } = error;
  const event = code === 'archive.damaged' || code === 'archive.corrupt' ? 'unrepairable' : 'failure';
  return make({ event, title: `${what} failed`, text: message, facts: [['Error', code]], whatToDo: hint }, context);
}

/** What a notification tells of a backup. */
export interface BackupFacts {
  /** The databases and folders. */
  readonly what: string;
  /** For people: where it is. */
  readonly output: string;
  readonly size: string;
  readonly duration: string;
  /** Why it is suspect. */
  readonly falls: readonly string[];
  /** What was left out or changed while it was read. */
  readonly problems: readonly string[];
  /** Storages that did not take it, with the reason. */
  readonly lostOutputs: readonly string[];
  /** How far the catalogues are: who keeps it elsewhere notices a storage that is put back. */
  readonly catalogueHeads?: readonly { readonly storage: string; readonly head: string }[];
}

const shownCount = 10;

function shown(lines: readonly string[]): string {
  const more = lines.length > shownCount ? [`and ${lines.length - shownCount} more`] : [];
  return [...lines.slice(0, shownCount), ...more].join('\n');
}

/** How a backup that was written turned out: a success, suspect, or a failure where a storage lacks it or something was left out. */
export function backupNotification(facts: BackupFacts, context: NotificationContext): Notification {
  const { what, output, size, duration, falls, problems, lostOutputs, catalogueHeads = [] } = facts;
  const common: Facts = [
    ['Backup', output],
    ['Size', size],
    ['Time', duration],
    ...catalogueHeads.map(({ storage, head }): [string, string] => [`Catalogue of ${storage}`, head]),
  ];
  if (falls.length > 0) {
    return make(
      {
        event: 'suspect',
        title: `The backup of ${what} is suspect`,
        text: `It holds far less than the one before:\n${shown(falls)}`,
        facts: common,
        whatToDo: 'look whether the data are still there; if that is right, allow it once with --allowed-fall 100',
      },
      context,
    );
  }
  const wrong = [...lostOutputs, ...problems];
  if (wrong.length > 0) {
    const title =
      lostOutputs.length > 0
        ? `The backup of ${what} is not on every storage`
        : `The backup of ${what} is not complete`;
    const whatToDo =
      'see to what is named, then run `holdfast backup` again; `holdfast scrub` brings back what a storage lacks';
    return make({ event: 'failure', title, text: shown(wrong), facts: common, whatToDo }, context);
  }
  const text = 'All that was written was read back.';
  return make({ event: 'success', title: `${what} is backed up`, text, facts: common }, context);
}

/** An archive that a check or a scrub found damaged. */
export interface DamagedArchive {
  readonly name: string;
  readonly storage?: string | undefined;
  /** `repaired`: it was damaged or missing, and is whole again. */
  readonly state: 'repaired' | 'repairable' | 'lost';
}

/** What a check or a scrub found: one notification for each kind of end; none where all was whole. */
export function damageNotifications(archives: readonly DamagedArchive[], context: NotificationContext): Notification[] {
  const kinds = {
    lost: {
      event: 'unrepairable',
      title: 'cannot be repaired',
      whatToDo:
        'keep the file; look for another copy of it, restore the rest with --partial, and make a new backup now',
    },
    repairable: {
      event: 'failure',
      title: 'damaged or missing, and can be repaired',
      whatToDo: 'run `holdfast scrub`, and look at the disk or the storage',
    },
    repaired: {
      event: 'healed',
      title: 'damaged or missing, and whole again',
      whatToDo: 'nothing for now; where it happens again, look at the disk or the storage',
    },
  } as const;
  return (['lost', 'repairable', 'repaired'] as const).flatMap((state) => {
    const found = archives.filter((archive) => archive.state === state);
    if (found.length === 0) return [];
    const { event, title, whatToDo } = kinds[state];
    const names = found.map(({ name, storage }) => (storage === undefined ? name : `${storage}: ${name}`));
    const count = found.length === 1 ? `${names[0]} is` : `${found.length} archives are`;
    const subject = state === 'lost' ? count.replace(/ (is|are)$/, '') : count;
    return [make({ event, title: `${subject} ${title}`, text: shown(names), facts: [], whatToDo }, context)];
  });
}

/** A run that did not take place when it should have: the scheduler tells. */
export function missedNotification(
  missed: { readonly job: string; readonly dueMs: number; readonly reason?: string },
  context: NotificationContext,
): Notification {
  const due = new Date(missed.dueMs).toISOString();
  return make(
    {
      event: 'missed',
      title: `The run of the job ${missed.job} was missed`,
      text: missed.reason ?? 'It did not run when it was due.',
      facts: [['Due', due]],
      whatToDo: 'see whether the machine was off, or what keeps the job so long; `holdfast runs` shows what ran since',
    },
    context,
  );
}

/** An archive that did not pass its drill, or could not be drilled. */
export function drillNotification(
  drill: {
    /** What is backed up, or the archive. */
    readonly what: string;
    readonly archive?: string | undefined;
    /** What differs, and which checks failed; or why it could not be restored. */
    readonly reasons: readonly string[];
    readonly hint: string;
  },
  context: NotificationContext,
): Notification {
  const { what, archive, reasons, hint } = drill;
  return make(
    {
      event: 'drill-failed',
      title: `The drill of ${what} failed`,
      text: shown(reasons),
      facts: [['Backup', archive]],
      whatToDo: hint,
    },
    context,
  );
}

/** A storage that will soon take no more. */
export function nearlyFullNotification(
  storage: { readonly name: string; readonly free: string; readonly total: string },
  context: NotificationContext,
): Notification {
  const { name, free, total } = storage;
  return make(
    {
      event: 'storage-nearly-full',
      title: `The storage ${name} is nearly full`,
      text: `${free} of ${total} are free.`,
      facts: [],
      whatToDo: 'keep fewer backups there, or give it more room, before the next one fails',
    },
    context,
  );
}

/** What `holdfast notify test` sends. */
export function testNotification(event: NotificationEvent, context: NotificationContext): Notification {
  return make(
    {
      event,
      title: 'This is a test',
      text: 'Holdfast can tell you of backups here. Nothing has happened.',
      facts: [['Event', event]],
      whatToDo: 'nothing',
    },
    context,
  );
}
