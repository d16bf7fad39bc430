import type { WebServices } from '../../src/web/services/web-services.ts';
import { nowMs, type Spelling } from './sample-sources.ts';

/** Settings of the made-up company. */
export function settingsServices(spell: Spelling): WebServices['settings'] {
  const jobs = ['nightly', 'analytics', 'crm', 'redis'];
  const schedules = ['0 2 * * *', '30 4 * * *', '0 */6 * * *', '0 * * * *'];
  return {
    configuration: async () => ({
      file: '/srv/shop/holdfast.config.ts',
      shown: {
        databases: [{ alias: spell('shop'), url: 'postgres://backup:**redacted**@db-1.internal/shop' }],
        files: [spell('uploads')],
        retention: { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 },
        passphrase: '**redacted**',
      },
    }),
    jobs: async () =>
      jobs.map((job, index) => ({
        job: spell(job),
        enabled: true,
        schedule: schedules[index] ?? '',
        timezone: 'Europe/Berlin',
        nextMs: [nowMs + 18 * 3_600_000, nowMs + 42 * 3_600_000],
      })),
    notifiers: async () => [
      { type: 'email', events: ['failed', 'suspect', 'late'] },
      { type: spell('slack'), events: ['failed'] },
    ],
    testNotifiers: async (_, type) => [
      {
        type: type ?? 'email',
        delivered: type !== 'email',
        ...(type === 'email' && {
          error: {
            code: 'notify.failed',
            message: spell('smtp.internal: 550 no such user'),
            hint: 'check the address',
          },
        }),
      },
    ],
    doctor: async () => [
      { part: 'machine', name: 'Node', state: 'ok', message: 'v26.10.0' },
      {
        part: 'databases',
        name: spell('billing'),
        state: 'failed',
        message: spell('the server does not answer'),
        hint: 'check that it runs',
      },
      {
        part: 'storages',
        name: spell('offsite'),
        state: 'warning',
        message: 'versioning is off',
        hint: 'turn it on, so that nothing is lost by an overwrite',
      },
    ],
  };
}
