/** A made-up company with a year of backups, for pages to be looked at: the same with each run. */
import type {
  ArchiveFacts,
  CalendarDay,
  EntryFacts,
  JobFacts,
  RunDetails,
  RunSummary,
  Trends,
} from '../../src/web/services/web-services.ts';

import { dayMs, gibibyte, hourMs, mebibyte, minuteMs, noise, nowMs, refused, type Spelling } from './sample-sources.ts';

const series = ['shop', 'billing', 'analytics', 'crm', 'redis'] as const;
const keeps = [
  ['newest', 'daily 1/7', 'weekly 1/4', 'monthly 1/12'],
  ['daily 2/7'],
  ['daily 3/7'],
  ['weekly 2/4'],
  ['monthly 2/12'],
];

export function sampleArchive(index: number, spell: Spelling): ArchiveFacts {
  const name = series[index % series.length] ?? 'shop';
  const createdMs =
    nowMs - 5.6 * hourMs - Math.floor(index / series.length) * dayMs - (index % series.length) * 7 * minuteMs;
  const stamp = new Date(createdMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const file = spell(`${name}-${stamp}.holdfast`);
  const sizeBytes = Math.round((0.2 + noise(index % 5) * 6) * gibibyte * (1 - index / 40_000));
  const health =
    index === 2
      ? 'suspect'
      : index === 7
        ? 'damaged'
        : index % 9 === 3
          ? 'unproven'
          : index % 4 === 1
            ? 'whole'
            : 'proven';
  const keptBy = index < 600 ? (keeps[index % keeps.length] ?? []) : index % 7 === 0 ? ['yearly 1/10'] : [];
  const storages = index % 11 === 4 ? ['local'] : ['local', 'offsite'];
  return {
    name: file,
    format: 'holdfast',
    series: spell(name),
    createdMs,
    sizeBytes,
    archiveId: '5d41402abc4b2a76b9719d911017c592',
    isPinned: index === 5,
    keptBy,
    health,
    lastProofMs: createdMs + 9 * minuteMs,
    lastCheckMs: nowMs - 2 * dayMs,
    replicas: storages.map((storage) => ({
      storage: spell(storage),
      url: storage === 'local' ? `file:///var/backups/holdfast/${file}` : `s3://acme-backups/holdfast/${file}`,
      sizeBytes,
      modifiedMs: createdMs,
      isPinned: index === 5,
      keptBy,
      health: storage === 'offsite' && health === 'damaged' ? 'proven' : health,
    })),
  };
}

export function sampleEntries(spell: Spelling): EntryFacts[] {
  const tables = [
    'customer',
    'invoice',
    'invoice_line',
    'order',
    'product',
    'product_variant',
    'session',
    'shipment',
    'stock_movement',
    'audit_event',
  ];
  const rows = [48_210, 391_004, 1_204_551, 402_118, 9_214, 31_877, 88_002, 377_190, 2_904_113, 5_120_844];
  return [
    ...tables.map(
      (table, index): EntryFacts => ({
        path: `databases/${spell('shop')}/tables/public.${table}`,
        kind: 'table',
        sizeBytes: (rows[index] ?? 0) * 182,
        sha256: '',
        rows: rows[index] ?? 0,
      }),
    ),
    ...Array.from(
      { length: 60 },
      (_, index): EntryFacts => ({
        path: `files/${spell('uploads')}/2026/11/${String(index + 1).padStart(4, '0')}-invoice.pdf`,
        kind: 'file',
        sizeBytes: Math.round(noise(index) * 900_000),
        sha256: '',
      }),
    ),
  ];
}

export function sampleDays(count: number): CalendarDay[] {
  return Array.from({ length: count }, (_, index): CalendarDay => {
    const ageDays = count - 1 - index;
    const day = new Date(nowMs - ageDays * dayMs).toISOString().slice(0, 10);
    const luck = noise(index);
    const result =
      ageDays === 0 ? 'suspect' : ageDays > 350 ? 'none' : luck < 0.012 ? 'failed' : luck < 0.022 ? 'missed' : 'good';
    const isGood = result === 'good';
    const weekday = new Date(`${day}T00:00:00Z`).getUTCDay();
    const kept = day.endsWith('-01')
      ? ['monthly' as const]
      : weekday === 0 && ageDays < 190
        ? ['weekly' as const]
        : ageDays < 45
          ? ['daily' as const]
          : [];
    return {
      day,
      jobs: result === 'none' ? [] : [{ job: 'nightly', result }],
      result,
      goodCount: isGood ? 4 : 0,
      failedCount: result === 'failed' ? 1 : 0,
      kept: isGood ? kept : [],
      archiveCount: isGood && kept.length > 0 ? 5 : 0,
    };
  });
}

export function sampleTrends(spell: Spelling): Trends {
  const sizes = { nightly: 60, analytics: 21, crm: 0.05, redis: 0.1 } as const;
  const days = Array.from({ length: 350 }, (_, index) => index);
  return {
    jobs: Object.entries(sizes).map(([job, base], row) => ({
      job: spell(job),
      points: days.map((day) => ({
        timeMs: nowMs - (350 - day) * dayMs,
        sizeBytes: Math.round(base * gibibyte * (0.6 + day / 870 + noise(day + row) * 0.05)),
        durationMs: Math.round((2 + base * 9) * 1000 * (0.7 + day / 1000 + noise(day * 3 + row) * 0.25)),
      })),
    })),
    storages: ['local', 'offsite'].map((storage, row) => ({
      storage: spell(storage),
      points: days.map((day) => ({
        day: new Date(nowMs - (350 - day) * dayMs).toISOString().slice(0, 10),
        totalSizeBytes: Math.round((row === 0 ? 300 + day * 0.9 : 700 + day * 5) * gibibyte * (1 + noise(day) * 0.01)),
      })),
    })),
  };
}

export function sampleRun(index: number, spell: Spelling): RunSummary {
  const kinds = ['backup', 'backup', 'backup', 'verify', 'scrub', 'backup', 'prune'] as const;
  const kind = kinds[index % kinds.length] ?? 'backup';
  const job = series[index % series.length] ?? 'shop';
  const state =
    index === 1
      ? 'failed'
      : index === 2
        ? 'suspect'
        : index % 37 === 20
          ? 'interrupted'
          : index % 53 === 9
            ? 'died'
            : 'succeeded';
  const durationMs = Math.round(4000 + noise(index) * 260_000);
  const startedMs = nowMs - 1.7 * hourMs - index * 88 * minuteMs;
  return {
    id: index === 1 ? 'f3a1' : index === 2 ? 'b771' : `run${index}`,
    kind,
    job: spell(job),
    subject: spell(job),
    state,
    startedMs,
    endedMs: startedMs + durationMs,
    durationMs,
    ...(kind === 'backup' && state === 'succeeded' && { sizeBytes: Math.round(noise(index) * 7 * gibibyte) }),
    ...(state === 'failed' && { error: { ...refused, message: spell(refused.message) } }),
  };
}

export function sampleRunDetails(id: string, spell: Spelling): RunDetails {
  const isFailed = id === 'f3a1';
  const startedMs = nowMs - 5.66 * hourMs;
  return {
    id,
    kind: 'backup',
    job: spell('nightly'),
    database: spell(isFailed ? 'billing' : 'shop'),
    state: isFailed ? 'failed' : 'succeeded',
    startedMs,
    endedMs: startedMs + 282_000,
    durationMs: 282_000,
    phases: isFailed
      ? [{ name: 'read', durationMs: 30_000 }]
      : [
          { name: 'read', durationMs: 171_000 },
          { name: 'write', durationMs: 38_000 },
          { name: 'verify', durationMs: 62_000 },
          { name: 'commit', durationMs: 11_000 },
        ],
    archives: [sampleArchive(0, spell)].flatMap(({ name, replicas }) =>
      replicas.map(({ storage, url, sizeBytes }) => ({
        url,
        storage,
        name,
        sizeBytes,
        state: isFailed ? ('failed' as const) : ('proven' as const),
      })),
    ),
    ...(isFailed
      ? { error: { code: 'database.unavailable' as never, message: spell(refused.message), hint: refused.hint } }
      : { sizeBytes: 4.31 * gibibyte, plainSizeBytes: 11.2 * gibibyte, entryCount: 18_421, rowCount: 10_577_123 }),
    log: [
      'nightly: 2 sources, 2 storages',
      'shop: PostgreSQL 16.4, snapshot 00000003-0000021B-1',
      'shop: 41 tables, 10,577,123 rows',
      `uploads: ${spell('18,380 files')}`,
      'local: committed',
      'offsite: committed, 812 parts',
      'read back: every entry is right',
    ].map((text, index) => ({ timeMs: startedMs + index * 31_000, text })),
  };
}

export function sampleJob(spell: Spelling): JobFacts {
  const total = 66 * gibibyte;
  const part = (name: string, doneBytes: number, totalBytes: number) => ({
    name: spell(name),
    doneBytes,
    totalBytes,
    isDone: doneBytes === totalBytes,
  });
  return {
    id: 'job1',
    kind: 'backup',
    subject: spell('nightly'),
    startedBy: spell('anna'),
    startedMs: nowMs - 3 * minuteMs,
    state: 'running',
    progress: {
      phase: 'read',
      doneBytes: 0.42 * total,
      totalBytes: total,
      bytesPerSecond: 154 * mebibyte,
      leftMs: 4.2 * minuteMs,
      doneRows: 6_201_114,
      entry: spell('files/uploads/2026/11/0031-invoice.pdf'),
      parts: [
        part('shop · public.audit_event', 890 * mebibyte, 890 * mebibyte),
        part('shop · public.stock_movement', 311 * mebibyte, 504 * mebibyte),
        part('uploads', 21.4 * gibibyte, 61.7 * gibibyte),
      ],
    },
    log: [
      { timeMs: nowMs - 3 * minuteMs, text: 'nightly: 2 sources, 2 storages' },
      { timeMs: nowMs - 2.9 * minuteMs, text: spell('shop: PostgreSQL 16.4, snapshot 00000003-0000021B-1') },
    ],
  };
}
