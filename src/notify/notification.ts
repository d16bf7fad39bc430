/** What a notification can be about. `success` and `failure` are of backups, and of checks that found damage. */
export const notificationEvents = [
  'success',
  'failure',
  'suspect',
  'missed',
  'healed',
  'unrepairable',
  'storage-nearly-full',
  'drill-failed',
] as const;

/** One of {@link notificationEvents}. */
export type NotificationEvent = (typeof notificationEvents)[number];

/** What people, or a program, are told. Never holds a secret. */
export interface Notification {
  readonly event: NotificationEvent;
  /** Its own, so that a receiver knows one that comes twice. */
  readonly id: string;
  readonly occurredMs: number;
  /** A line. */
  readonly title: string;
  /** What happened, a sentence or some lines. */
  readonly text: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly whatToDo?: string;
  /** Where to look. */
  readonly link?: string;
}

/** How bad it is. */
export function severityOf(event: NotificationEvent): 'good' | 'warning' | 'bad' {
  if (event === 'success' || event === 'healed') return 'good';
  return event === 'suspect' || event === 'storage-nearly-full' ? 'warning' : 'bad';
}

/** All of it as plain text, cut to a length where one is given. */
export function asText({ title, text, facts, whatToDo, link }: Notification, maximumLength = Infinity): string {
  const lines = [title, '', text, '', ...facts.map(([name, value]) => `${name}: ${value}`)];
  if (whatToDo !== undefined) lines.push('', `What to do: ${whatToDo}`);
  if (link !== undefined) lines.push('', link);
  return cut(lines.join('\n').replace(/\n{3,}/g, '\n\n'), maximumLength);
}

/** Cuts a text to a length; services refuse what is longer. */
export function cut(text: string, maximumLength: number): string {
  return text.length <= maximumLength ? text : `${text.slice(0, Math.max(0, maximumLength - 1)).trimEnd()}…`;
}
