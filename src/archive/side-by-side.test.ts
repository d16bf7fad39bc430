import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachSideBySide, fromBothEnds } from './side-by-side.ts';

/** Work that ends when it is told to. */
function controlled() {
  const begun: number[] = [];
  const running = new Map<number, PromiseWithResolvers<void>>();
  const work = async (item: number) => {
    begun.push(item);
    const ending = Promise.withResolvers<void>();
    running.set(item, ending);
    await ending.promise.finally(() => running.delete(item));
  };
  return { begun, running, work };
}

const turns = () => new Promise((resolve) => setImmediate(resolve));

test('items begin in their order, no more at once than told, and the next is asked for when there is room', async () => {
  const { begun, running, work } = controlled();
  let asked = 0;
  const items = async function* () {
    for (asked = 1; asked <= 5; asked += 1) yield asked;
  };
  const done = eachSideBySide(items(), { atOnce: 2, work });
  await turns();
  assert.deepEqual([begun, asked], [[1, 2], 2]);
  running.get(2)?.resolve();
  await turns();
  assert.deepEqual([begun, asked], [[1, 2, 3], 3]);
  while (running.size > 0) {
    for (const { resolve } of running.values()) resolve();
    await turns();
  }
  await done;
  assert.deepEqual(begun, [1, 2, 3, 4, 5]);
});

test('one at a time is over before the next is asked for', async () => {
  const seen: string[] = [];
  const items = function* () {
    for (const item of ['a', 'b']) {
      seen.push(`asked ${item}`);
      yield item;
    }
  };
  const work = async (item: string) => {
    await turns();
    seen.push(`done ${item}`);
  };
  await eachSideBySide(items(), { atOnce: 1, work });
  assert.deepEqual(seen, ['asked a', 'done a', 'asked b', 'done b']);
});

test('the first failure ends it: the others are told, none begins, and all have ended when it is thrown', async () => {
  const failure = new Error('the first');
  const { begun, running, work } = controlled();
  const signals: AbortSignal[] = [];
  let stops = 0;
  const options = {
    atOnce: 3,
    work: (item: number, signal: AbortSignal) => {
      signals.push(signal);
      return work(item);
    },
    stop: async () => {
      stops += 1;
      // Ending the others makes them fail as well.
      for (const { reject } of running.values()) reject(new Error('ended with it'));
    },
  };
  const done = eachSideBySide([1, 2, 3, 4, 5], options);
  await turns();
  running.get(2)?.reject(failure);
  await assert.rejects(done, (error) => error === failure);
  assert.deepEqual([begun, running.size, stops], [[1, 2, 3], 0, 1]);
  assert.ok(signals.every(({ aborted }) => aborted));
});

test('who fails alone stops nobody, and what is stopped is waited for', async () => {
  let stops = 0;
  const count = async () => {
    stops += 1;
  };
  const fails = async (item: number) => {
    if (item === 2) throw new Error('alone');
  };
  await assert.rejects(eachSideBySide([1, 2], { atOnce: 1, work: fails, stop: count }), /alone/);
  assert.equal(stops, 0);
  for (const others of [1, 2]) {
    const { begun, running, work } = controlled();
    const ended: string[] = [];
    const stop = async () => {
      for (const { resolve } of running.values()) resolve();
      await turns();
      await turns();
      ended.push('stop');
    };
    const one = async (item: number) => {
      if (item > others) throw new Error('the last');
      await work(item);
      await turns();
      ended.push(`${item}`);
    };
    const items = Array.from({ length: others + 1 }, (_, index) => index + 1);
    await assert.rejects(eachSideBySide(items, { atOnce: 5, work: one, stop }), /the last/);
    assert.deepEqual([begun.length, running.size], [others, 0]);
    assert.deepEqual(ended.sort(), [...begun.map(String), 'stop']);
  }
});

test('a sequence that fails, and one that is given up, are ended', async () => {
  const failing = async function* () {
    yield 1;
    throw new Error('no more');
  };
  let isEnded = false;
  await assert.rejects(eachSideBySide(failing(), { atOnce: 2, work: async () => undefined }), /no more/);
  const endless = function* () {
    try {
      for (let item = 0; ; item += 1) yield item;
    } finally {
      isEnded = true;
    }
  };
  const work = () => Promise.reject(new Error('at once'));
  await assert.rejects(eachSideBySide(endless(), { atOnce: 2, work }), /at once/);
  assert.equal(isEnded, true);
});

test('from both ends each item comes once', () => {
  const orders = [[], [1], [1, 2], [1, 3, 2], [1, 4, 2, 3], [1, 5, 2, 4, 3]];
  for (const [count, order] of orders.entries()) {
    assert.deepEqual([...fromBothEnds(Array.from({ length: count }, (_, index) => index + 1))], order);
  }
});
