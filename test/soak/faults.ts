/** What goes wrong in a soak. */
import { readdirSync, readFileSync } from 'node:fs';
import type { SeededRandom } from '../../src/testing/seeded-random.ts';
import { pause, type World } from './world.ts';

/** What can go wrong in one minute. */
export const faultNames = [
  'nothing',
  'S3 fails now and then',
  'S3 is away',
  'SFTP is cut now and then',
  'SFTP is away',
  'both networks fail',
  'PostgreSQL dies',
  'the SFTP server dies',
  'the backup is killed',
] as const;

/** One of {@link faultNames}. */
export type FaultName = (typeof faultNames)[number];

/** Lets it go wrong, beginning some seconds before a backup is due; done when all is well again. */
export async function letFail(name: FaultName, world: World, serveId: number, random: SeededRandom): Promise<void> {
  const seed = random.integer(2 ** 31);
  const { cloudProxy, hostProxy } = world;
  const calm = { seed, faults: 0, rate: 0 };
  const untilDueMs = 60_000 - (Date.now() % 60_000);
  const intoRunMs = untilDueMs + 300 + random.integer(2_500);
  switch (name) {
    case 'nothing':
      return;
    case 'S3 fails now and then':
      cloudProxy.reset({ seed, faults: 6, rate: 0.4 });
      break;
    case 'S3 is away':
      cloudProxy.reset({ seed, faults: 1_000_000, rate: 1, cutWithinBytes: 1 });
      break;
    case 'SFTP is cut now and then':
      hostProxy.reset({ seed, faults: 3, rate: 0.7 });
      break;
    case 'SFTP is away':
      hostProxy.reset({ seed, faults: 1_000_000, rate: 1, cutWithinBytes: 1 });
      break;
    case 'both networks fail':
      cloudProxy.reset({ seed, faults: 4, rate: 0.3 });
      hostProxy.reset({ seed, faults: 2, rate: 0.5 });
      break;
    case 'PostgreSQL dies':
      await pause(intoRunMs);
      await world.postgres.kill();
      await pause(3_000);
      await world.postgres.restart();
      return;
    case 'the SFTP server dies':
      await pause(intoRunMs);
      await world.sshd.kill();
      await pause(3_000);
      await world.sshd.restart();
      return;
    case 'the backup is killed':
      await pause(intoRunMs);
      for (const child of childrenOf(serveId)) process.kill(child, 'SIGKILL');
      return;
  }
  await pause(untilDueMs + 15_000);
  cloudProxy.reset(calm);
  hostProxy.reset(calm);
}

/** Processes that a process started and that still run. */
function childrenOf(processId: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => parentOf(name) === processId)
    .map(Number);
}

function parentOf(name: string): number | undefined {
  try {
    const status = readFileSync(`/proc/${name}/stat`, 'latin1');
    return Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    // It has ended.
    return undefined;
  }
}
