/** The contract of histories, as cases that any database of one has to pass. */
import assert from 'node:assert/strict';
import type { History } from '../history/history.ts';
import type { RunArchive } from '../history/run-record.ts';
import { retentionFacts } from '../operation/retention-facts.ts';
import { deadProcess, type HistoryCase, opened } from './history-case.ts';
import { historyLeaseCases } from './history-lease-cases.ts';

const error = { code: 'storage.full', message: 'no room', hint: 'make some' } as const;

/** The cases. */
export const historyCases: readonly HistoryCase[] = [
  {
    name: 'a run is kept with all that is known of it',
    run: async (subject) => {
      const pending = { url: '/b/x', storage: 'local', name: 'x', state: 'pending' } as const;
      const begun = { kind: 'backup', job: 'backup', scheduledMs: 900, database: 'shop', startedMs: 1000 } as const;
      const archives = [
        { ...pending, database: 'crm', state: 'proven', archiveId: 'ab', sizeBytes: 7 } as const,
        { ...pending, state: 'failed', error } as const,
      ];
      const ended = {
        state: 'succeeded',
        endedMs: 3000,
        sizeBytes: 2 ** 50,
        plainSizeBytes: 0,
        entryCount: 2,
        rowCount: 3,
        healedBlocks: 4,
        phases: [{ name: 'read', durationMs: 5 }],
      } as const;
      const id = await opened(subject, 1, async (history) => {
        assert.ok(history);
        const made = await history.begin({ ...begun, archives: [pending] });
        assert.deepEqual(await history.runs(), [
          { ...begun, id: made, state: 'running', phases: [], archives: [pending] },
        ]);
        await history.end(made, { ...ended, archives });
        return made;
      });
      await opened(subject, 1, async (history) => {
        assert.ok(history);
        assert.deepEqual(await history.runs(), [{ ...begun, ...ended, id, archives }]);
        // Times of some file systems have fractions.
        const failed = await history.begin({ kind: 'verify', startedMs: 2000.4 });
        await history.end(failed, { state: 'failed', endedMs: 2001.5, phases: [], archives: [], error });
        assert.deepEqual(
          (await history.runs({ limit: 1 })).map((run) => [run.kind, run.startedMs, run.endedMs, run.error]),
          [['verify', 2000, 2002, error]],
        );
        const count = async (filter: Parameters<History['runs']>[0]) => (await history.runs(filter)).length;
        assert.deepEqual(
          (await history.runs({ kind: 'backup', limit: 5 })).map((run) => run.archives.length),
          [2],
        );
        assert.equal(await count({ job: 'backup', scheduledMs: 900 }), 1);
        assert.equal(await count({ job: 'backup', scheduledMs: 901 }), 0);
        assert.equal(await count({ job: 'other' }), 0);
      });
    },
  },
  {
    name: 'what people write comes back as it was',
    run: (subject) =>
      opened(subject, 1, async (history) => {
        assert.ok(history);
        const name = `it's "x"; $1 ? \\ \u{1f600} ${'long '.repeat(2000)}`;
        const odd = { code: 'operation.failed', message: `a\0b${name}`, hint: '' } as const;
        const id = await history.begin({ kind: 'backup', job: name, database: name, startedMs: 1 });
        await history.end(id, {
          state: 'failed',
          endedMs: 2,
          phases: [],
          archives: [{ url: name, name, state: 'failed', error: odd }],
          error: odd,
        });
        const [run] = await history.runs();
        assert.deepEqual([run?.job, run?.database, run?.error, run?.archives[0]?.url], [name, name, odd, name]);
        assert.deepEqual(run?.archives[0]?.error, odd);
      }),
  },
  {
    name: 'a run whose process is gone has died; that of another machine is not known to have, until its job is taken',
    run: (subject) =>
      opened(subject, 1, async (history) => {
        assert.ok(history);
        const gone = await deadProcess();
        for (const kind of ['backup', 'scrub', 'verify'] as const)
          await history.begin({ kind, job: kind, startedMs: 1 });
        await subject.execute(`UPDATE run SET process_id = ${gone} WHERE kind <> 'verify'`);
        await subject.execute(`UPDATE run SET process_space = 'elsewhere' WHERE kind = 'scrub'`);
        const states = async () => (await history.runs()).map(({ kind, state }) => `${kind} ${state}`).sort();
        assert.deepEqual(await states(), ['backup died', 'scrub running', 'verify running']);
        await history.buryRuns('scrub');
        assert.deepEqual(await states(), ['backup died', 'scrub died', 'verify running']);
      }),
  },
  ...historyLeaseCases,
  {
    name: 'a proof and deliveries are kept with their run',
    run: (subject) =>
      opened(subject, 1, async (history) => {
        assert.ok(history);
        const proof = {
          isProven: true,
          restoreMs: 5,
          tableCount: 1,
          fileCount: 0,
          differences: [],
          checks: [],
          notRestored: [],
        };
        const id = await history.begin({ kind: 'drill', startedMs: 1 });
        await history.end(id, { state: 'succeeded', endedMs: 2, phases: [], archives: [], proof });
        const told = { event: 'success', type: 'ping', place: 'x', sent: true, tries: 1, atMs: 3 } as const;
        const why = { code: 'notify.failed', message: 'no' } as const;
        const failed = { ...told, sent: false, tries: 3, atMs: 4, error: why } as const;
        await history.addDeliveries([{ ...told, runId: id }, failed]);
        const [run] = await history.runs({ limit: 1 });
        assert.deepEqual([run?.proof, run?.notifications], [proof, [{ ...told, runId: id }]]);
        assert.deepEqual(await history.deliveries(), [failed, { ...told, runId: id }]);
        assert.deepEqual(await history.deliveries({ limit: 1 }), [failed]);
      }),
  },
  {
    name: 'what a run told is kept with it, and cut in its middle where it is long',
    run: async (subject) => {
      await opened(subject, 1, async (history) => {
        const ended = { state: 'succeeded', endedMs: 9, phases: [], archives: [] } as const;
        const id = await history.begin({ kind: 'backup', startedMs: 1 });
        const log = [
          { timeMs: 5, text: 'phase: read' },
          { timeMs: 6, text: 'ünïcode "quoted"' },
        ];
        await history.end(id, { ...ended, log });
        assert.deepEqual(await history.runLog(id), log);
        await history.end(id, ended);
        assert.deepEqual(await history.runLog(id), log, 'who knows no log leaves it');
        const long = Array.from({ length: 500 }, (_, index) => ({ timeMs: index, text: 'x'.repeat(1000) }));
        await history.end(id, { ...ended, log: long });
        const kept = await history.runLog(id);
        assert.ok(kept.length > 50 && kept.length < 70, `${kept.length}`);
        assert.deepEqual([kept[0]?.timeMs, kept.at(-1)?.timeMs], [0, 499]);
        await history.end(id, { ...ended, log: [] });
        assert.deepEqual(await history.runLog(id), []);
        assert.deepEqual(await history.runLog('0'.repeat(24)), []);
      });
    },
  },
  {
    name: 'what all runs come to is added up',
    run: (subject) =>
      opened(subject, 1, async (history) => {
        assert.ok(history);
        const archive = { url: '/b/x', storage: 'local', name: 'x', database: 'shop' } as const;
        const id = await history.begin({ kind: 'backup', startedMs: 1_800_000_000_000, archives: [] });
        const proven = { ...archive, state: 'proven', sizeBytes: 2 ** 40 } as const;
        await history.end(id, {
          state: 'succeeded',
          endedMs: 1_800_000_000_005,
          phases: [],
          archives: [proven],
          healedBlocks: 3,
        });
        await history.begin({ kind: 'scrub', startedMs: 1_800_000_000_001 });
        const { counts, lastRuns, places, storages } = await history.facts();
        assert.deepEqual(counts, [
          { kind: 'backup', state: 'succeeded', count: 1, healedBlocks: 3 },
          { kind: 'scrub', state: 'running', count: 1, healedBlocks: 0 },
        ]);
        const times = { startedMs: 1_800_000_000_000, endedMs: 1_800_000_000_005 };
        assert.deepEqual(lastRuns, [{ kind: 'backup', state: 'succeeded', ...times }]);
        const place = { database: 'shop', storage: 'local', lastSizeBytes: 2 ** 40 };
        assert.deepEqual(places, [{ ...place, lastSuccessMs: times.endedMs, lastProofMs: times.endedMs }]);
        assert.deepEqual(storages, [{ storage: 'local', state: 'proven', archiveCount: 1, sizeBytes: 2 ** 40 }]);
        assert.deepEqual([await history.hasRun(id), await history.hasRun('none')], [true, false]);
      }),
  },
  {
    name: 'the run that began last is the last, also where the clock was set back before it',
    run: async (subject) => {
      await opened(subject, 1, async (history) => {
        const archive = { url: '/b/x', storage: 'near', name: 'x', database: 'shop' } as const;
        const make = async (startedMs: number, state: 'proven' | 'failed', isRebuilt = false) => {
          const id = await history.begin({ kind: 'backup', database: 'shop', startedMs, isRebuilt });
          const ended = state === 'failed' ? ('failed' as const) : ('succeeded' as const);
          await history.end(id, {
            state: ended,
            endedMs: startedMs + 1,
            phases: [],
            archives: [{ ...archive, state }],
          });
          return id;
        };
        const good = await make(10_000, 'proven');
        const bad = await make(5_000, 'failed');
        const rebuilt = await make(20_000, 'proven', true);
        const runs = await history.runs();
        assert.deepEqual(
          runs.map(({ id }) => id),
          [bad, good, rebuilt],
        );
        assert.equal(retentionFacts(runs, { nowMs: 30_000 }).hold('shop', 'near'), 'the last run failed');
        const { lastRuns } = await history.facts();
        assert.deepEqual(
          lastRuns.map(({ state, startedMs }) => [state, startedMs]),
          [['failed', 5_000]],
        );
        await make(6_000, 'proven');
        assert.equal(retentionFacts(await history.runs(), { nowMs: 30_000 }).hold('shop', 'near'), undefined);
      });
    },
  },
  {
    name: 'many write at once',
    run: (subject) =>
      opened(subject, subject.isServer ? 4 : 1, async (...all) => {
        const writes = Array.from({ length: 40 }, async (_, index) => {
          const history = all[index % all.length];
          assert.ok(history);
          const archive = { url: `/b/${index}`, state: 'pending' } as const;
          const id = await history.begin({ kind: 'backup', startedMs: index, archives: [archive, archive] });
          const archives = [{ ...archive, state: 'proven' } as const];
          await history.end(id, { state: 'succeeded', endedMs: index, phases: [], archives });
        });
        await Promise.all(writes);
        const runs = (await all[0]?.runs()) ?? [];
        assert.deepEqual(
          runs
            .toSorted((left, right) => left.startedMs - right.startedMs)
            .map(({ startedMs, archives }) => `${startedMs} ${archives[0]?.url} ${archives.length}`),
          Array.from({ length: 40 }, (_, index) => `${index} /b/${index} 1`),
        );
      }),
  },
  {
    name: 'a chain of a catalogue has one end, whoever appends to it',
    run: (subject) =>
      opened(subject, subject.isServer ? 3 : 1, async (...all) => {
        const [first] = all;
        assert.ok(first);
        const begun = { place: '/b', storage: 'near', publicKey: 'k', sequence: 0, hash: '', checkpointAt: 32 };
        await Promise.all(all.map(({ catalogue }, index) => catalogue.begin({ ...begun, chain: `${index}` })));
        const [known, ...more] = await first.catalogue.chains('/b');
        assert.ok(known && more.length === 0, 'of one key at one place there is one');
        const { chain } = known;
        const append = async ({ catalogue }: History, hash: string): Promise<void> => {
          const from = (await catalogue.chains()).find((one) => one.chain === chain);
          assert.ok(from);
          const sequence = from.sequence + 1;
          if (await catalogue.advance(from, { chain, sequence, hash, name: hash, body: from.hash })) return;
          await append(all.at(-1) ?? first, hash);
        };
        const hashes = Array.from({ length: 24 }, (_, index) => `hash ${index}`);
        await Promise.all(hashes.map((hash, index) => append(all[index % all.length] ?? first, hash)));
        const waiting = await first.catalogue.waiting(chain);
        assert.deepEqual(
          waiting.map(({ sequence }) => sequence),
          hashes.map((_, index) => index + 1),
        );
        for (const [index, { body }] of waiting.entries()) assert.equal(body, waiting[index - 1]?.hash ?? '');
        for (const record of waiting) await first.catalogue.sent(record);
        assert.deepEqual(await first.catalogue.waiting(chain), []);
        const [end] = await first.catalogue.chains();
        assert.deepEqual([end?.sequence, end?.hash], [24, waiting.at(-1)?.hash]);
        // Less than is known changes nothing, and more does.
        await first.catalogue.see(chain, { sequence: 3, hash: 'old' });
        assert.equal((await first.catalogue.chains())[0]?.sequence, 24);
        const id = await first.catalogue.intend({ chain, event: 'written', object: '{}', atMs: 5.5 });
        assert.deepEqual(
          (await first.catalogue.intents(chain)).map(({ life, event }) => [life, event]),
          [['running', 'written']],
        );
        await first.catalogue.dropIntent(id);
        assert.deepEqual(await first.catalogue.intents(chain), []);
      }),
  },
  {
    name: 'what was found of blocks is kept until another archive lies there',
    run: (subject) =>
      opened(subject, 1, async (history) => {
        assert.ok(history);
        const counts = { perCopy: 2 ** 33, damaged: 2, solved: 1, lost: 1, dataBlocks: 239, parityBlocks: 16 };
        const map = {
          archiveId: 'ab',
          lookedMs: 1000,
          ...counts,
          copies: [`${'='.repeat(4090)}~~+#..`, '='.repeat(4096)],
        };
        const places = ['/b/one', '/b/two', '/b/three'];
        const known = async () => [...(await history.blockMaps([...places, '/b/never'])).keys()].sort();
        for (const url of places) await history.setBlockMap(url, { ...map, lookedMs: 5.5 });
        await history.setBlockMap('/b/one', map);
        assert.deepEqual((await history.blockMaps(['/b/one'])).get('/b/one'), map);
        assert.deepEqual(await history.blockMaps([]), new Map());
        const end = async (archives: readonly RunArchive[]) => {
          const id = await history.begin({ kind: 'backup', startedMs: 1 });
          await history.end(id, { state: 'succeeded', endedMs: 2, phases: [], archives });
        };
        await end([
          { url: '/b/one', archiveId: 'ab', state: 'proven' },
          { url: '/b/two', state: 'failed' },
        ]);
        assert.deepEqual(await known(), [...places].sort());
        await end([
          { url: '/b/two', archiveId: 'cd', state: 'written' },
          { url: '/b/three', state: 'removed' },
        ]);
        assert.deepEqual(await known(), ['/b/one']);
      }),
  },
];
