/** What the made-up company backs up, and where to. */
import { stateTexts } from '../../src/web/services/state-texts.ts';
import type { ShownError, SourceFacts, StateReason, StorageFacts } from '../../src/web/services/web-services.ts';

export const nowMs = Date.UTC(2026, 10, 28, 7, 40, 12);
export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;
export const mebibyte = 2 ** 20;
export const gibibyte = 2 ** 30;

/** How names are written: as they are, or made hostile. */
export type Spelling = (name: string) => string;

/** What an attacker who may name a table, a file or a database would write. */
export const hostile: Spelling = (name) =>
  `${name}"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>' \u202egnp.exe </time>{{7*7}}`;

/** A number from 0 to 1 for each index, without a pattern that can be seen. */
export function noise(index: number): number {
  const value = Math.sin(index * 12.9898 + 4.1) * 43758.5453;
  return value - Math.floor(value);
}

export const refused: ShownError = {
  code: 'database.unavailable',
  message: 'mysql://backup@db-2.internal:3306/billing: the server does not answer (ECONNREFUSED)',
  hint: 'check that it runs, and that this machine may connect to it',
};

function sizes(base: number, growth: number): number[] {
  return Array.from({ length: 30 }, (_, index) => Math.round(base * (1 + growth * index + 0.03 * noise(index))));
}

const shared = {
  enabled: true,
  remedyText: '',
  reasonText: '',
  reason: 'backed_up' as const,
  state: 'well' as const,
};

function quietSources(spell: Spelling): SourceFacts[] {
  return [
    {
      ...shared,
      id: 'database:shop',
      kind: 'database',
      name: spell('shop'),
      place: 'postgres://backup@db-1.internal/shop',
      job: 'nightly',
      schedule: '0 2 * * *',
      lastGoodMs: nowMs - 5.6 * hourMs,
      lastProofMs: nowMs - 5.6 * hourMs,
      lastDrillMs: nowMs - 3 * dayMs,
      nextRunMs: nowMs + 18.3 * hourMs,
      sizeBytes: 4.31 * gibibyte,
      recentSizesBytes: sizes(3.4 * gibibyte, 0.009),
    },
    {
      ...shared,
      id: 'files:uploads',
      kind: 'files',
      name: spell('uploads'),
      place: '/srv/shop/uploads',
      job: 'nightly',
      schedule: '0 2 * * *',
      lastGoodMs: nowMs - 5.5 * hourMs,
      lastProofMs: nowMs - 5.5 * hourMs,
      lastDrillMs: nowMs - 3 * dayMs,
      nextRunMs: nowMs + 18.3 * hourMs,
      sizeBytes: 61.7 * gibibyte,
      recentSizesBytes: sizes(48 * gibibyte, 0.01),
    },
    {
      ...shared,
      id: 'models:crm',
      kind: 'models',
      name: spell('crm'),
      place: 'drizzle, 14 models',
      job: 'crm',
      schedule: '0 */6 * * *',
      state: 'unproven',
      ...said('never_proven'),
      lastGoodMs: nowMs - 1.7 * hourMs,
      nextRunMs: nowMs + 4.3 * hourMs,
      sizeBytes: 48 * mebibyte,
      recentSizesBytes: sizes(40 * mebibyte, 0.007),
    },
  ];
}

/** As the services say it. */
function said(reason: StateReason): Pick<SourceFacts, 'reason' | 'reasonText' | 'remedyText'> {
  const [reasonText, remedyText] = stateTexts[reason];
  return { reason, reasonText, remedyText };
}

function troubledSources(spell: Spelling): SourceFacts[] {
  return [
    {
      ...shared,
      id: 'database:billing',
      kind: 'database',
      name: spell('billing'),
      place: 'mysql://backup@db-2.internal/billing',
      job: 'nightly',
      schedule: '0 2 * * *',
      state: 'failing',
      ...said('last_run_failed'),
      error: refused,
      runId: 'f3a1',
      lastGoodMs: nowMs - 29.6 * hourMs,
      lastProofMs: nowMs - 29.6 * hourMs,
      lastDrillMs: nowMs - 9 * dayMs,
      nextRunMs: nowMs + 18.3 * hourMs,
      sizeBytes: 812 * mebibyte,
      recentSizesBytes: sizes(700 * mebibyte, 0.005),
    },
    {
      ...shared,
      id: 'database:analytics',
      kind: 'database',
      name: spell('analytics'),
      place: 'postgres://backup@db-3.internal/analytics',
      job: 'analytics',
      schedule: '30 4 * * *',
      state: 'suspect',
      ...said('last_run_suspect'),
      runId: 'b771',
      lastGoodMs: nowMs - 27 * hourMs,
      lastProofMs: nowMs - 27 * hourMs,
      nextRunMs: nowMs + 20.8 * hourMs,
      sizeBytes: 22.8 * gibibyte,
      recentSizesBytes: [...sizes(19 * gibibyte, 0.006).slice(0, 29), 0.9 * gibibyte],
    },
    {
      ...shared,
      id: 'command:redis',
      kind: 'command',
      name: spell('redis'),
      place: 'redis-cli --rdb -',
      job: 'redis',
      schedule: '0 * * * *',
      state: 'late',
      ...said('overdue'),
      lastGoodMs: nowMs - 7 * hourMs,
      lastProofMs: nowMs - 7 * hourMs,
      lastDrillMs: nowMs - 30 * dayMs,
      nextRunMs: nowMs + 0.33 * hourMs,
      sizeBytes: 96 * mebibyte,
      recentSizesBytes: sizes(91 * mebibyte, 0.002),
    },
  ];
}

/** Sources in every state. */
export function sampleSources(spell: Spelling): SourceFacts[] {
  return [...quietSources(spell), ...troubledSources(spell)];
}

export function sampleStorages(spell: Spelling, archiveCount: number): StorageFacts[] {
  const shared = { enabled: true, warnings: [] };
  return [
    {
      ...shared,
      name: spell('local'),
      backend: 'local',
      place: 'file:///var/backups/holdfast',
      archiveCount,
      totalSizeBytes: 618 * gibibyte,
      freeBytes: 311 * gibibyte,
      lastCheck: {
        backend: 'local',
        place: 'file:///var/backups/holdfast',
        warnings: [],
        passed: true,
        leftovers: [],
        checkedMs: nowMs - 2 * dayMs,
        steps: [
          { name: 'write an object', part: 'rights', state: 'passed', durationMs: 12 },
          { name: 'read it back', part: 'rights', state: 'passed', durationMs: 2 },
        ],
      },
    },
    {
      ...shared,
      name: spell('offsite'),
      backend: 's3',
      place: 's3://acme-backups/holdfast',
      archiveCount: archiveCount - 12,
      totalSizeBytes: 2.41 * 1024 * gibibyte,
      warnings: ['versioning is off: what is overwritten is gone'],
    },
    {
      ...shared,
      name: spell('vault'),
      backend: 'sftp',
      place: 'sftp://backup@vault.internal/srv',
      archiveCount: 412,
      totalSizeBytes: 96 * gibibyte,
      error: {
        code: 'storage.unavailable',
        message: 'vault.internal: the connection timed out',
        hint: 'check the network to it',
      },
    },
  ];
}
