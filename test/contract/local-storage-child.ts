/** A process of its own for the tests of local storage: it is killed, starved or kept out, and says what it saw. */
import { readdirSync, writeSync } from 'node:fs';
import { HoldfastError } from '../../src/errors.ts';
import { LocalStorage } from '../../src/storage/local/local-storage.ts';

export interface ChildOrder {
  readonly root: string;
  readonly name: string;
  readonly steps: readonly ('put' | 'small put' | 'open' | 'delete' | 'list' | 'files' | 'put for ever')[];
  readonly sizeBytes: number;
  readonly copies: number;
  /** Says `stopped` there, and waits to be killed. */
  readonly stopAt?: 'write' | 'replicate' | 'check';
}

/** Error code, or what was seen, of each step. */
export type ChildAnswer = readonly (string | readonly string[])[];

function say(text: string): void {
  writeSync(1, `${text}\n`);
}

function waitToBeKilled(): void {
  say('stopped');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

async function put(
  storage: LocalStorage,
  order: ChildOrder,
  options: { sizeBytes: number; fill: number },
): Promise<string> {
  const onReplicate = () => {
    if (order.stopAt === 'replicate') waitToBeKilled();
  };
  const writer = await storage.writer(order.name, { copies: order.copies, onReplicate });
  const chunk = Buffer.alloc(64 * 1024, options.fill);
  for (let left = options.sizeBytes; left > 0; left -= chunk.length) {
    await writer.write(chunk.subarray(0, Math.min(left, chunk.length)));
    if (order.stopAt === 'write') waitToBeKilled();
  }
  await writer.commit(async () => {
    if (order.stopAt === 'check') waitToBeKilled();
  });
  return 'put';
}

async function run(
  storage: LocalStorage,
  order: ChildOrder,
  step: ChildOrder['steps'][number],
): Promise<string | string[]> {
  if (step === 'put') return put(storage, order, { sizeBytes: order.sizeBytes, fill: 1 });
  if (step === 'small put') return put(storage, order, { sizeBytes: 1000, fill: 1 });
  if (step === 'files') return readdirSync(order.root);
  if (step === 'delete') await storage.delete(order.name);
  if (step === 'open') await (await storage.open(order.name)).close();
  const names: string[] = [];
  if (step === 'list') for await (const object of storage.list()) names.push(object.name);
  if (step === 'list') return names;
  for (let fill = 1; step === 'put for ever'; fill = (fill % 250) + 1) {
    await put(storage, order, { sizeBytes: order.sizeBytes, fill });
    say('committed');
  }
  return step;
}

const order: ChildOrder = JSON.parse(process.argv[2] ?? '');
const storage = new LocalStorage({ root: order.root });
const answers: (string | readonly string[])[] = [];
for (const step of order.steps) {
  try {
    answers.push(await run(storage, order, step));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    answers.push(error.code);
  }
}
say(JSON.stringify(answers));
