/** The wall clock of a time zone. A pure function of the zone's rules, which the runtime brings. */
export interface LocalTime {
  /** Milliseconds from UTC to the zone's wall clock at a moment. */
  offsetMs(timeMs: number): number;
  /** A moment as the zone's wall clock shows it, read as if it were UTC: its UTC fields are the local ones. */
  toLocalMs(timeMs: number): number;
}

const zones = new Map<string, LocalTime>();
/** Offsets are kept by the minute: some zones once changed at one minute past midnight. */
const bucketMs = 60_000;
const maximumKept = 100_000;

/** The zone of this machine. */
export function systemTimezone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** Whether the runtime knows a zone. */
export function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    // A RangeError is how the runtime says that it does not know it.
    return false;
  }
}

/** The wall clock of a zone, such as `Europe/Berlin`; {@link isTimezone} must know it. */
export function localTime(timezone: string): LocalTime {
  const known = zones.get(timezone);
  if (known !== undefined) return known;
  const read = offsetReader(timezone);
  const kept = new Map<number, number>();
  const offsetMs = (timeMs: number): number => {
    const bucket = Math.floor(timeMs / bucketMs);
    const found = kept.get(bucket);
    if (found !== undefined) return found;
    if (kept.size >= maximumKept) kept.clear();
    const offset = read(bucket * bucketMs);
    kept.set(bucket, offset);
    return offset;
  };
  const made: LocalTime = { offsetMs, toLocalMs: (timeMs) => timeMs + offsetMs(timeMs) };
  zones.set(timezone, made);
  return made;
}

function offsetReader(timezone: string): (timeMs: number) => number {
  if (timezone === 'UTC') return () => 0;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (timeMs) => {
    const fields = new Map(format.formatToParts(timeMs).map(({ type, value }) => [type, Number(value)]));
    const field = (name: Intl.DateTimeFormatPartTypes) => fields.get(name) ?? 0;
    const date = Date.UTC(
      field('year'),
      field('month') - 1,
      field('day'),
      field('hour'),
      field('minute'),
      field('second'),
    );
    return date - timeMs;
  };
}
