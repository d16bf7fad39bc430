/** Schedules in the words of other programs. Pure: text out. */
import { HoldfastError } from '../errors.ts';
import type { Schedule } from './schedule.ts';

/** Who is to run the jobs. */
export type ExportFormat = 'systemd' | 'cron' | 'kubernetes';

/** A job as it is exported. */
export interface ExportedJob {
  /** `backup`, `backup:crm`, `drill`, `scrub`. */
  readonly name: string;
  readonly schedule: Schedule;
  readonly jitterMs: number;
}

/** Where and how the jobs run. */
export interface ExportOptions {
  readonly format: ExportFormat;
  /** The folder of the configuration. */
  readonly folder: string;
  /** The name of its file there. */
  readonly fileName: string;
  /** Whether archives are removed by the retention after each backup. */
  readonly prunes: boolean;
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
/** 1970-01-01, from which hours are counted, was a Thursday. */
const firstWeekday = 4;

/** The jobs for another scheduler. Throws `usage.invalid` for a schedule that it has no words for. */
export function exportSchedule(jobs: readonly ExportedJob[], options: ExportOptions): string {
  const write = { systemd: systemdUnits, cron: crontab, kubernetes: cronJobs }[options.format];
  return write(jobs, options);
}

function inapt({ text }: Schedule, format: ExportFormat): HoldfastError {
  return new HoldfastError('usage.invalid', {
    message: `\`${text}\` cannot be said for ${format}`,
    hint: 'use plain fields of cron, a number of hours that divides 24, or `holdfast serve`',
  });
}

/** The pattern of crontab that a schedule means, in its zone. */
function cronOf(schedule: Schedule, format: ExportFormat): string {
  const { cron, intervalHours = 0 } = schedule;
  if (cron !== undefined) return cron;
  if (intervalHours === 168) return `0 0 * * ${firstWeekday}`;
  if (24 % intervalHours === 0) return intervalHours === 24 ? '0 0 * * *' : `0 */${intervalHours} * * *`;
  throw inapt(schedule, format);
}

function commandsOf({ name }: ExportedJob, { prunes, format }: ExportOptions): string[] {
  // The image has it on its path; a project has it among its packages.
  const program = format === 'kubernetes' ? 'holdfast' : 'npx holdfast';
  if (name === 'drill' || name === 'scrub') return [`${program} ${name}`];
  return [`${program} backup --job ${shellWord(name)}`, ...(prunes ? [`${program} prune --yes`] : [])];
}

function shellWord(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Names that systemd and Kubernetes take; a number keeps those apart that become alike. */
function unitNames(jobs: readonly ExportedJob[]): string[] {
  const bases = jobs.map(({ name }) => {
    const base = `holdfast-${name}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
    return base.slice(0, 40).replace(/-+$/, '');
  });
  return bases.map((base, index) => (bases.indexOf(base) === index ? base : `${base}-${index}`));
}

function crontab(jobs: readonly ExportedJob[], options: ExportOptions): string {
  const lines = jobs.map((job) => {
    const line = [`cd ${shellWord(options.folder)}`, ...commandsOf(job, options)].join(' && ');
    // A percent sign ends a line of crontab.
    return `CRON_TZ=${job.schedule.timezone}\n${cronOf(job.schedule, 'cron')} ${line.replaceAll('%', String.raw`\%`)}\n`;
  });
  return ["# A cron that does not know CRON_TZ takes the times for the machine's zone.\n", ...lines].join('');
}

/** `1-5,7` as systemd writes it. */
function systemdField(field: string, first: number, name: (value: string) => string): string | undefined {
  const parts = field.split(',').map((part) => {
    const [, from = '', to, step] = /^(\*|\d+)(?:-(\d+))?(?:\/(\d+))?$/.exec(part) ?? [];
    if (from === '') return undefined;
    if (step !== undefined && to !== undefined) {
      const values = [];
      for (let value = Number(from); value <= Number(to); value += Number(step)) values.push(name(String(value)));
      return values.join(',');
    }
    // Steps are of a range or of all.
    if (step !== undefined) return `${name(String(first))}/${step}`;
    return to === undefined ? name(from) : `${name(from)}..${name(to)}`;
  });
  return parts.includes(undefined) ? undefined : parts.join(',');
}

const twoDigits = (value: string) => (value === '*' ? value : value.padStart(2, '0'));

/** Days of the week by name, and one by one: systemd knows no steps of them. */
function systemdWeekdays(field: string): string | undefined {
  const days = field.split(',').flatMap((part) => {
    const [, from, to, step = '1'] = /^(\*|[0-7])(?:-([0-7]))?(?:\/(\d))?$/.exec(part) ?? [];
    if (from === undefined) return [undefined];
    const first = from === '*' ? 0 : Number(from);
    const last = from === '*' ? 6 : Number(to ?? from);
    const found = [];
    for (let day = first; day <= last; day += Number(step)) found.push(weekdays[day]);
    return found;
  });
  return days.includes(undefined) ? undefined : [...new Set(days)].join(',');
}

/** Where crontab has a day of the month and a day of the week it means either; systemd means both. */
function systemdCalendars({ schedule }: ExportedJob): string[] {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = cronOf(schedule, 'systemd').split(' ');
  const minutes = systemdField(minute, 0, twoDigits);
  const hours = systemdField(hour, 0, twoDigits);
  const days = systemdField(day, 1, twoDigits);
  const months = systemdField(month, 1, twoDigits);
  const names = weekday === '*' ? '' : systemdWeekdays(weekday);
  if ([minutes, hours, days, months, names].includes(undefined)) throw inapt(schedule, 'systemd');
  const end = `${hours}:${minutes}:00 ${schedule.timezone}`;
  const byDay = `*-${months}-${days} ${end}`;
  const byWeekday = `${names} *-${months}-* ${end}`;
  if (names === '') return [byDay];
  return day.startsWith('*') ? [`${names} ${byDay}`] : [byDay, byWeekday];
}

function systemdUnits(jobs: readonly ExportedJob[], options: ExportOptions): string {
  // Of systemd's own characters only the percent sign may stand in a path.
  const escaped = (text: string) => text.replaceAll('%', '%%');
  const names = unitNames(jobs);
  const units = jobs.map((job, index) => {
    const unit = names[index];
    const commands = commandsOf(job, options).map((command) => `ExecStart=/usr/bin/env ${escaped(command)}`);
    return `# /etc/systemd/system/${unit}.service
[Unit]
Description=Holdfast: ${escaped(job.name)}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory=${escaped(options.folder)}
EnvironmentFile=-/etc/holdfast.env
${commands.join('\n')}

# /etc/systemd/system/${unit}.timer
[Unit]
Description=Holdfast: when ${escaped(job.name)} runs

[Timer]
${systemdCalendars(job)
  .map((calendar) => `OnCalendar=${calendar}`)
  .join('\n')}
RandomizedDelaySec=${Math.round(job.jitterMs / 1000)}
FixedRandomDelay=true
Persistent=true

[Install]
WantedBy=timers.target
`;
  });
  return units.join('\n');
}

/** Where the image of `packaging/Dockerfile` has its configuration. */
const imageFolder = '/srv/holdfast';
/** The user that the image runs as. */
const imageUserId = 1000;

/** For that image: the Secret, the ConfigMap and the claim that they name are all called `holdfast`. */
function cronJobs(jobs: readonly ExportedJob[], options: ExportOptions): string {
  const names = unitNames(jobs);
  const documents = jobs.map((job, index) => {
    const script = commandsOf(job, options).join(' && ');
    return `apiVersion: batch/v1
kind: CronJob
metadata:
  name: ${names[index]}
spec:
  schedule: ${JSON.stringify(cronOf(job.schedule, 'kubernetes'))}
  timeZone: ${JSON.stringify(job.schedule.timezone)}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  jobTemplate:
    spec:
      backoffLimit: 1
      template:
        spec:
          restartPolicy: Never
          securityContext:
            runAsNonRoot: true
            runAsUser: ${imageUserId}
            fsGroup: ${imageUserId}
          containers:
            - name: holdfast
              image: holdfast
              command: ["sh", "-c", ${JSON.stringify(script)}]
              workingDir: ${imageFolder}
              envFrom:
                - secretRef:
                    name: holdfast
              volumeMounts:
                - name: configuration
                  mountPath: ${JSON.stringify(`${imageFolder}/${options.fileName}`)}
                  subPath: ${JSON.stringify(options.fileName)}
                - name: state
                  mountPath: ${imageFolder}/.holdfast
          volumes:
            - name: configuration
              configMap:
                name: holdfast
            - name: state
              persistentVolumeClaim:
                claimName: holdfast
`;
  });
  return documents.join('---\n');
}
