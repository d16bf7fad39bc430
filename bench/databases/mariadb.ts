import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { startMariadb } from '../../test/services/start-mariadb.ts';
import { measure } from '../measure.ts';
import { holdfast } from '../programs.ts';
import { type Bench, mebibyte, race, residentMebibytes, seconds, seriesOf } from '../race.ts';
import type { Row } from '../row.ts';
import { shell } from './shell.ts';

const wholeEvents = 2_000_000;
const gibibyte = 1_024 * mebibyte;

/** About 500 MB of dump at 1 GiB: many short rows, and fewer with wide text and bytes. */
export const eventTables = (events: number) => `
CREATE TABLE event (id bigint PRIMARY KEY, kind varchar(20) NOT NULL, user_id int, at datetime, note text, KEY (user_id)) ENGINE=InnoDB;
INSERT INTO event SELECT seq, ELT(1 + seq % 5, 'login', 'order', 'payment', 'return', 'logout'), seq * 7919 % 100000,
  TIMESTAMPADD(SECOND, seq, '2025-01-01'), CONCAT('event ', seq, ' of ', MD5(seq), ' it''s') FROM seq_1_to_${events};
CREATE TABLE document (id bigint PRIMARY KEY, title varchar(200), body longtext, content longblob) ENGINE=InnoDB;
INSERT INTO document SELECT seq, CONCAT('Document ', seq), REPEAT(CONCAT(MD5(seq), ' the invoice was paid\\n'), 40), REPEAT(UNHEX(MD5(seq * 3)), 20)
  FROM seq_1_to_${Math.ceil(events / 15)};`;

/** Backup of a MariaDB, beside its own tool and a compressor. */
export async function benchMariadb(bench: Bench): Promise<Row[]> {
  const server = await startMariadb({ durable: true, settings: { 'innodb-buffer-pool-size': '512M' } });
  try {
    const url = await server.createDatabase('shop');
    const client = `--no-defaults --host=127.0.0.1 --port=${server.port} --user=${server.user}`;
    bench.say('making the database');
    const events = Math.ceil((wholeEvents * bench.dataSizeBytes) / gibibyte);
    await measure(shell(`mariadb ${client} shop <<'END'\n${eventTables(events)}\nEND`));
    const archive = join(bench.workFolder, 'shop.holdfast');
    const dump = join(bench.workFolder, 'shop.sql.zst');
    const results = await race(
      bench,
      [
        {
          name: 'holdfast',
          prepare: () => rmSync(archive, { force: true }),
          command: holdfast('backup', '--url', url, '--output', archive, '--json'),
        },
        {
          name: 'mariadb-dump | zstd',
          command: shell(
            `mariadb-dump ${client} --single-transaction --routines --events shop | zstd -q -f -o '${dump}'`,
          ),
        },
      ],
      bench.repetitions,
    );
    const [own, peers] = seriesOf(results, seconds);
    const [memory] = seriesOf(results, residentMebibytes);
    const target = { kind: 'at most', bound: 1.1, ratioTo: 'mariadb-dump | zstd' } as const;
    const written = `${Math.round(statSync(archive).size / mebibyte)} MiB were written, by the peer ${Math.round(statSync(dump).size / mebibyte)} MiB`;
    return [
      { id: 'mariadb.backup.time', title: 'MariaDB: backup', unit: 's', own, peers, target, note: written },
      {
        id: 'mariadb.backup.memory',
        title: 'MariaDB: backup, peak resident memory',
        unit: 'MiB',
        own: memory,
        peers: [],
        target: { kind: 'at most', bound: 250 },
      },
    ];
  } finally {
    await server.stop();
  }
}
