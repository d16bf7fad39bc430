/** A process of its own for the tests of the spool: its folder is on a disk of its own, or it is killed. */
import { writeSync } from 'node:fs';
import { HoldfastError } from '../../src/errors.ts';
import { SpoolFile } from '../../src/storage/wrap/spool-file.ts';

const [folder = '', megabytes = '0', reserveBytes = '0', end = ''] = process.argv.slice(2);
const chunk = Buffer.alloc(1024 * 1024, 7);
try {
  const spool = await SpoolFile.create({ folder, reserveBytes: Number(reserveBytes) });
  for (let count = 0; count < Number(megabytes); count += 1) await spool.append(chunk);
  if (end === 'hang') {
    writeSync(1, 'ready\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
  await spool.close();
  writeSync(1, 'done\n');
} catch (error) {
  if (!(error instanceof HoldfastError)) throw error;
  writeSync(1, `${error.code} ${error.message}\n`);
}
