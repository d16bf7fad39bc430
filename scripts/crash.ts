/** Kills restores into servers at 50 seeded points of each mode, and looks at what is left; the suite does so at a few. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const files = [
  'src/source/postgres/postgres-crash.test.ts',
  'src/source/mysql/mysql-crash.test.ts',
  'src/source/model/restore/restore-crash.test.ts',
];
const env = { HOLDFAST_KILL_POINTS: '50', ...process.env };
const args = [join(import.meta.dirname, 'test.ts'), ...files];
process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit', env }).status ?? 1;
