import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../errors.ts';
import { checkProgram } from '../command/command-program.ts';
import { RunningProgram } from '../command/running-program.ts';
import { writeToolOptions } from './dump-tool.ts';
import type { MysqlAddress } from './mysql-address.ts';
import type { MysqlConnection } from './mysql-connection.ts';
import type { TargetState } from './target-state.ts';

const runLimitMs = 20 * 24 * 60 * 60 * 1000;

/** Runs a whole dump through the server's own client, in a database. Throws `tool.not_found`, `tool.failed`. */
export async function loadDump(
  bytes: AsyncIterable<Uint8Array>,
  options: {
    readonly address: MysqlAddress;
    readonly state: TargetState;
    readonly control: MysqlConnection;
    readonly database: string;
  },
): Promise<void> {
  const { address, state, control, database } = options;
  const { engine, version } = state.server;
  const program = clientProgram(engine);
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-mysql-'));
  try {
    const optionsPath = join(folder, 'client.cnf');
    const tool = { program: 'mysqldump' as const, engine, version };
    await writeToolOptions(optionsPath, { address, tool, isEncrypted: control.isEncrypted });
    // In binary mode the client runs no commands of its own, such as that for a shell.
    const args = [
      `--defaults-file=${optionsPath}`,
      '--binary-mode',
      '--comments',
      '--default-character-set=utf8mb4',
      '--max-allowed-packet=1G',
    ];
    const environment = ['LD_LIBRARY_PATH'].filter((name) => process.env[name] !== undefined);
    const command = [program, ...args, '--', database];
    const client = new RunningProgram({ command, environment, timeoutMs: runLimitMs }, 'input', undefined);
    try {
      for await (const chunk of bytes) await client.write(chunk);
      client.finishInput();
      await client.end();
    } finally {
      await client.kill();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function clientProgram(engine: 'mysql' | 'mariadb'): string {
  const programs = engine === 'mariadb' ? ['mariadb', 'mysql'] : ['mysql', 'mariadb'];
  for (const program of programs) {
    try {
      checkProgram({ command: [program], environment: [] });
      return program;
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'tool.not_found') throw error;
    }
  }
  const name = engine === 'mariadb' ? 'mariadb-client' : 'mysql-client';
  throw new HoldfastError('tool.not_found', {
    message: `the client program ${programs[0]} is needed to restore a whole dump`,
    hint: `install the Debian package ${name} (apt-get install ${name})`,
  });
}
