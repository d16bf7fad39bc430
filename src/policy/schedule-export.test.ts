import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readSchedule, type ScheduleTimes } from './schedule.ts';
import { type ExportFormat, exportSchedule } from './schedule-export.ts';

function exported(times: ScheduleTimes, format: ExportFormat, name = 'backup', prunes = true): string {
  const job = { name, schedule: readSchedule(times), jitterMs: 300_000 };
  return exportSchedule([job], { format, folder: '/srv/my shop', fileName: 'holdfast.config.ts', prunes });
}

const calendars: readonly (readonly [ScheduleTimes, readonly string[]])[] = [
  [{ cron: '0 2 * * *', timezone: 'UTC' }, ['*-*-* 02:00:00 UTC']],
  [{ dailyTime: '23:05', timezone: 'Europe/Berlin' }, ['*-*-* 23:05:00 Europe/Berlin']],
  [{ cron: '*/15 8-18 * * 1-5', timezone: 'UTC' }, ['Mon,Tue,Wed,Thu,Fri *-*-* 08..18:00/15:00 UTC']],
  [{ cron: '5,35 1-9/4 1 */3 *', timezone: 'UTC' }, ['*-01/3-01 01,05,09:05,35:00 UTC']],
  // Either of the two days, for cron.
  [{ cron: '0 3 1,15 * 0,7', timezone: 'UTC' }, ['*-*-01,15 03:00:00 UTC', 'Sun *-*-* 03:00:00 UTC']],
  [{ cron: '0 3 * 1 2-6/2', timezone: 'UTC' }, ['Tue,Thu,Sat *-01-* 03:00:00 UTC']],
  [{ cron: '0 3 */10 * *', timezone: 'UTC' }, ['*-*-01/10 03:00:00 UTC']],
  [{ cron: '0 3 * * */3', timezone: 'UTC' }, ['Sun,Wed,Sat *-*-* 03:00:00 UTC']],
  [{ intervalHours: 6 }, ['*-*-* 00/6:00:00 UTC']],
  [{ intervalHours: 24 }, ['*-*-* 00:00:00 UTC']],
  [{ intervalHours: 168 }, ['Thu *-*-* 00:00:00 UTC']],
];

function calendarsOf(times: ScheduleTimes): string[] {
  return [...exported(times, 'systemd').matchAll(/^OnCalendar=(.*)$/gm)].map(([, calendar = '']) => calendar);
}

test('patterns in the words of systemd', () => {
  for (const [times, expected] of calendars) assert.deepEqual(calendarsOf(times), expected);
});

test('systemd reads them as they are meant', (t) => {
  const start = Date.UTC(2026, 2, 27, 12);
  if (spawnSync('systemd-analyze', ['--version']).status !== 0) {
    assert.notEqual(process.env['CI'], 'true', 'systemd-analyze is not here, and what nobody ran is not green');
    t.skip('systemd-analyze is not here');
    return;
  }
  for (const [times, expected] of calendars) {
    if (expected.length > 1) continue;
    const args = ['calendar', `--base-time=@${start / 1000}`, '--iterations=8', ...expected];
    const { stdout, stderr } = spawnSync('systemd-analyze', args, {
      encoding: 'utf8',
      env: { ...process.env, TZ: 'UTC' },
    });
    const found = [...stdout.matchAll(/(?:Next elapse|Iter\. #\d+|\(in UTC\)): \w+ (\S+ \S+) UTC/g)];
    const moments = [...new Set(found.map(([, moment = '']) => Date.parse(`${moment.replace(' ', 'T')}Z`)))];
    const { nextMs } = readSchedule(times);
    let next = start;
    const ours = moments.map(() => (next = nextMs(next) ?? 0));
    assert.equal(moments.length, 8, `${stdout}${stderr}`);
    assert.deepEqual(moments, ours, expected.join());
  }
});

test('the units of systemd run the job in its folder, then the retention', () => {
  const text = exported({ timezone: 'UTC' }, 'systemd', 'backup:crm');
  assert.match(text, /^# \/etc\/systemd\/system\/holdfast-backup-crm\.service$/m);
  assert.match(text, /^WorkingDirectory=\/srv\/my shop$/m);
  const commands = [...text.matchAll(/^ExecStart=(.*)$/gm)].map(([, command]) => command);
  assert.deepEqual(commands, [
    '/usr/bin/env npx holdfast backup --job backup:crm',
    '/usr/bin/env npx holdfast prune --yes',
  ]);
  assert.match(text, /^RandomizedDelaySec=300\nFixedRandomDelay=true\nPersistent=true$/m);
});

test('a line of crontab, with what a shell and cron take for their own', () => {
  const text = exported({ timezone: 'Europe/Berlin' }, 'cron', "backup:it's 100%", false);
  const [, zone, line] = text.split('\n');
  assert.equal(zone, 'CRON_TZ=Europe/Berlin');
  assert.equal(line, String.raw`0 2 * * * cd '/srv/my shop' && npx holdfast backup --job 'backup:it'\''s 100\%'`);
});

test('a CronJob of Kubernetes', () => {
  const text = exported({ intervalHours: 8, timezone: 'Asia/Tokyo' }, 'kubernetes');
  assert.match(text, /^ {2}name: holdfast-backup$/m);
  assert.match(text, /^ {2}schedule: "0 \*\/8 \* \* \*"\n {2}timeZone: "UTC"\n {2}concurrencyPolicy: Forbid$/m);
  assert.match(text, /"holdfast backup --job backup && holdfast prune --yes"\]\n {14}workingDir: \/srv\/holdfast$/m);
  // As in the image: what it is called, where it looks, and who it runs as.
  const dockerfile = readFileSync(new URL('../../packaging/Dockerfile', import.meta.url), 'utf8');
  assert.match(dockerfile, /^RUN ln -s \S+ \/usr\/local\/bin\/holdfast /m);
  assert.match(dockerfile, /^WORKDIR \/srv\/holdfast$/m);
  assert.match(dockerfile, /runs as the user `node` \(1000\)/);
  assert.match(text, /mountPath: "\/srv\/holdfast\/holdfast\.config\.ts"\n {18}subPath: "holdfast\.config\.ts"$/m);
  assert.match(text, /runAsUser: 1000\n {12}fsGroup: 1000$/m);
});

test('names that become alike are kept apart', () => {
  const job = { schedule: readSchedule({}), jitterMs: 0 };
  const jobs = [
    { ...job, name: 'backup:a b' },
    { ...job, name: 'backup:a.b' },
  ];
  const text = exportSchedule(jobs, {
    format: 'kubernetes',
    folder: '/',
    fileName: 'holdfast.config.ts',
    prunes: false,
  });
  assert.deepEqual(
    [...text.matchAll(/^ {2}name: (.*)$/gm)].map(([, name]) => name),
    ['holdfast-backup-a-b', 'holdfast-backup-a-b-1'],
  );
});

test('what another has no words for is refused', () => {
  for (const format of ['systemd', 'cron', 'kubernetes'] as const) {
    assert.throws(() => exported({ intervalHours: 5 }, format), { code: 'usage.invalid' });
  }
  assert.throws(() => exported({ cron: '0 0 L * *' }, 'systemd'), { code: 'usage.invalid' });
});

test('names of units are cut, and the delay is in seconds', () => {
  const text = exported({ intervalHours: 6 }, 'systemd', `job ${'a'.repeat(60)}`);
  assert.match(text, new RegExp(`/holdfast-job-${'a'.repeat(40 - 'holdfast-job-'.length)}\\.timer`));
  const job = { name: 'x', schedule: readSchedule({ intervalHours: 6 }), jitterMs: 3_600_000 };
  const delayed = exportSchedule([job], {
    format: 'systemd',
    folder: '/srv/shop',
    fileName: 'holdfast.config.ts',
    prunes: false,
  });
  assert.match(delayed, /^RandomizedDelaySec=3600$/m);
});

test('a drill is a command of its own', () => {
  assert.match(exported({ intervalHours: 6 }, 'cron', 'drill'), / && npx holdfast drill\n/);
});
