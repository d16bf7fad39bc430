import { CopyIn } from './copy-in.ts';
import type { LentConnections } from './lent-connections.ts';
import type { PostgresConnection } from './postgres-connection.ts';
import { waitPatiently } from './wait-patiently.ts';

const newline = 0x0a;

/** Where rows go, and by whom. */
export interface LoadOptions {
  readonly sql: string;
  /** The first takes rows at once, others where it cannot keep up. */
  readonly connections: LentConnections;
  readonly timeoutMs: number;
  readonly probe: () => Promise<void>;
}

/** Feeds rows in the text format of COPY to several connections, each row to one of them. Gives the number of rows that the server took. */
export async function loadRows(bytes: AsyncIterable<Uint8Array>, options: LoadOptions): Promise<number> {
  const { connections } = options;
  const taken: PostgresConnection[] = [];
  try {
    const rows = await load(bytes, options, taken);
    for (const connection of taken) connections.giveBack(connection);
    return rows;
  } catch (error) {
    connections.fail(error);
    throw error;
  }
}

async function load(
  bytes: AsyncIterable<Uint8Array>,
  options: LoadOptions,
  taken: PostgresConnection[],
): Promise<number> {
  const { connections, sql } = options;
  const patiently = <Result>(work: Promise<Result>) => waitPatiently(work, options);
  const lanes: CopyIn[] = [];
  const open = (connection: PostgresConnection) => {
    taken.push(connection);
    const lane = new CopyIn(sql);
    connection.submit(lane);
    lanes.push(lane);
    return lane;
  };
  /** One that can take bytes, or the first that can. */
  const choose = async (): Promise<CopyIn> => {
    if (lanes.length === 0) return open(await connections.take());
    const idle = lanes.find(({ isFree }) => isFree);
    if (idle !== undefined) return idle;
    const next = connections.takeFree();
    if (next !== undefined) return open(next);
    await patiently(Promise.race(lanes.map((lane) => lane.free())));
    return lanes.find(({ isFree }) => isFree) ?? (lanes[0] as CopyIn);
  };
  // The lane of the row that has begun; between rows any may take the next.
  let lane: CopyIn | undefined;
  const write = async (part: Uint8Array) => {
    if (part.length === 0) return;
    lane ??= await choose();
    await patiently(lane.write(part));
  };
  for await (const chunk of bytes) {
    const end = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).lastIndexOf(newline) + 1;
    await write(chunk.subarray(0, end));
    if (end > 0) lane = undefined;
    await write(chunk.subarray(end));
  }
  let rows = 0;
  for (const each of lanes) rows += await patiently(each.finish());
  return rows;
}
