/** What cases of the contract of histories are made of. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { History } from '../history/history.ts';

/** A history under test, empty at first. */
export interface HistoryUnderTest {
  /** Opens it once more, as another process does; the case closes it. */
  open(): Promise<History>;
  /** Runs one statement beside it, on the tables `run` and `job`. */
  execute(statement: string): Promise<void>;
  /**
   * Whether it is a server: leases run by its clock, rather than by the moment that the caller gives, and a connection that waits for
   * another one does not keep its process from going on.
   */
  readonly isServer: boolean;
}

/** One case of the contract. */
export interface HistoryCase {
  readonly name: string;
  /** Rejects when the history breaks the contract. */
  run(subject: HistoryUnderTest): Promise<void>;
}

/** The number of a process that is gone. */
export async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

/** Opens it so many times, and closes all. */
export async function opened<Result>(
  { open }: HistoryUnderTest,
  count: number,
  work: (...histories: History[]) => Promise<Result>,
): Promise<Result> {
  const histories = await Promise.all(Array.from({ length: count }, () => open()));
  try {
    return await work(...histories);
  } finally {
    for (const history of histories) await history.close();
  }
}
