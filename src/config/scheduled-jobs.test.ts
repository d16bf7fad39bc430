import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HoldfastError } from '../errors.ts';
import { parseConfig } from './parse-config.ts';
import { retentionPolicy } from './retention-settings.ts';
import { configOfJob, configuredJobs, queueNames, scheduledJobs } from './scheduled-jobs.ts';

const parse = (value: unknown) => parseConfig(value, {}, 'holdfast.config.ts');

function problemOf(value: unknown): string {
  try {
    parse(value);
    return '';
  } catch (error) {
    return (error as HoldfastError).message.replace('holdfast.config.ts: ', '');
  }
}

test('a schedule says when in one way only, and rightly', () => {
  const schedule = (value: object) => problemOf({ schedule: value });
  for (const good of [
    {},
    { enabled: false },
    { cron: '0 2 * * *', timezone: 'Europe/Berlin' },
    { intervalHours: 168, jitterMinutes: 720 },
    { dailyTime: '23:59' },
  ]) {
    assert.equal(schedule(good), '');
  }
  const twice = 'schedule: cron and dailyTime are both set: only one of them says when';
  assert.equal(schedule({ cron: '0 2 * * *', dailyTime: '02:00' }), twice);
  assert.match(schedule({ cron: '0 2 * *' }), /^schedule.cron: must be five fields, such as 0 2 \* \* \*: /);
  assert.equal(schedule({ cron: '0 0 31 2 *' }), 'schedule.cron: it never runs');
  assert.match(schedule({ intervalHours: 0 }), /^schedule.intervalHours: /);
  assert.match(schedule({ intervalHours: 169 }), /^schedule.intervalHours: /);
  assert.equal(schedule({ dailyTime: '24:00' }), 'schedule.dailyTime: must be a time of day: 02:00, not "24:00"');
  assert.equal(
    schedule({ timezone: 'Berlin' }),
    'schedule.timezone: there is no time zone "Berlin" (such as Europe/Berlin)',
  );
  assert.equal(
    schedule({ dayliTime: '02:00' }),
    'schedule.dayliTime: there is no such setting (did you mean dailyTime?)',
  );
  const override = { alias: 'a', url: 'x', scheduleOverride: { intervalHours: 1, cron: '0 * * * *' } };
  assert.match(
    problemOf({ databases: [override] }),
    /^databases\[0\].scheduleOverride: cron and intervalHours are both/,
  );
});

test('jobs wait in the queue that is named, or in `default`', () => {
  const databases = [{ alias: 'a', url: 'sqlite:a' }];
  assert.deepEqual(queueNames(parse({ databases })), ['default']);
  assert.deepEqual(queueNames(parse({ databases, schedule: { queue: 'backups' } })), ['backups']);
});

test('retention has its limits and its defaults', () => {
  const retention = (value: object) => problemOf({ retention: value });
  assert.match(retention({ keepDaily: 0 }), /^retention.keepDaily: /);
  assert.match(retention({ keepDaily: 366 }), /^retention.keepDaily: /);
  assert.match(retention({ keepWeekly: 53 }), /^retention.keepWeekly: /);
  assert.match(retention({ keepMonthly: 25 }), /^retention.keepMonthly: /);
  assert.equal(
    retention({ keepWithin: '3 days' }),
    'retention.keepWithin: must be a number and h, d or w: 36h, 10d, 2w, not "3 days"',
  );
  const defaults = {
    keepLast: 0,
    keepHourly: 0,
    keepDaily: 7,
    keepWeekly: 4,
    keepMonthly: 3,
    keepYearly: 0,
    keepWithinMs: 0,
  };
  assert.deepEqual(retentionPolicy(parse({})), defaults);
  const all = { keepLast: 1, keepHourly: 2, keepDaily: 3, keepWeekly: 0, keepMonthly: 5, keepYearly: 6 };
  assert.deepEqual(retentionPolicy(parse({ retention: { ...all, keepWithin: '2w', maxTotalSizeMb: 3 } })), {
    ...all,
    keepWithinMs: 14 * 86_400_000,
    maxTotalSizeBytes: 3 * 1024 * 1024,
  });
});

test('all is backed up by one job, but for databases with a schedule of their own', () => {
  const shop = { alias: 'shop', url: 'sqlite:shop.db' };
  const crm = { alias: 'crm', url: 'sqlite:crm.db', scheduleOverride: { intervalHours: 6 } };
  const old = { alias: 'old', url: 'sqlite:old.db', scheduleOverride: { enabled: false } };
  const config = parse({
    databases: [shop, crm, old, { ...shop, alias: 'off', enabled: false }],
    files: ['uploads'],
    schedule: { dailyTime: '03:00', timezone: 'Asia/Tokyo', jitterMinutes: 2 },
  });
  const jobs = configuredJobs(config);
  assert.deepEqual(
    jobs.map(({ name, enabled, jitterMs }) => [name, enabled, jitterMs]),
    [
      ['backup', true, 120_000],
      ['backup:crm', true, 120_000],
      ['backup:old', false, 120_000],
    ],
  );
  assert.equal(jobs[0]?.times.dailyTime, '03:00');
  assert.deepEqual(jobs[1]?.times, { intervalHours: 6, timezone: 'Asia/Tokyo' });
  const main = configOfJob(config, 'backup');
  assert.deepEqual(
    main.databases?.map(({ alias }) => alias),
    ['shop', 'off'],
  );
  assert.deepEqual(main.files, ['uploads']);
  const own = configOfJob(config, 'backup:crm');
  assert.deepEqual([own.databases?.map(({ alias }) => alias), own.files], [['crm'], []]);
  assert.throws(() => configOfJob(config, 'backup:cmr'), { code: 'usage.invalid', hint: 'did you mean backup:crm?' });
  assert.deepEqual(
    configuredJobs(parse({ databases: [crm] })).map(({ name }) => name),
    ['backup:crm'],
  );
  assert.deepEqual(configuredJobs(parse({})), []);
});

test('drills and scrubs run by themselves where they have schedules', () => {
  const databases = [{ alias: 'shop', url: 'sqlite:shop.db' }];
  const schedule = { cron: '0 4 * * 0' };
  const names = (given: object) => scheduledJobs(parse({ databases, ...given })).map(({ name }) => name);
  assert.deepEqual(names({ scrub: {}, drill: {} }), ['backup']);
  assert.deepEqual(names({ scrub: { schedule }, drill: { schedule } }), ['backup', 'drill', 'scrub']);
  const of = (scrub: object) =>
    scheduledJobs(parse({ databases, schedule: { timezone: 'Asia/Tokyo', queue: 'slow' }, scrub }))[1];
  assert.deepEqual(of({ schedule }), {
    name: 'scrub',
    enabled: true,
    times: { ...schedule, timezone: 'Asia/Tokyo' },
    jitterMs: 0,
    queue: 'slow',
  });
  assert.deepEqual(
    [of({ schedule, enabled: false })?.enabled, of({ schedule: { enabled: false } })?.enabled],
    [false, false],
  );
  assert.deepEqual(scheduledJobs(parse({ scrub: { schedule } })), [], 'there is nothing to scrub');
});
