/** What the name of an archive tells: of which database it is, and from when. */
export interface ArchiveSeries {
  /** What `{database}` stands for in it. */
  readonly database: string;
  /** What `{timestamp}` stands for in it; of several of one second the later are some milliseconds later. */
  readonly createdMs: number;
}

/** What {@link archiveSeriesReader} looks for. */
export interface SeriesNaming {
  /** Such as `{database}_{timestamp}_{env}`. */
  readonly template: string;
  /** As it stands in names. */
  readonly environment: string;
}

const timestampPattern = String.raw`(?<timestamp>\d{8}T\d{6}Z|\d{8}_\d{6})`;
const databasePattern = '(?<database>[A-Za-z0-9.-]+?)';
/** `-2`, `-3` for further archives of one second, and what kind of file it is. */
const endPattern = String.raw`(?:-(?<number>\d{1,4}))?\.(?:holdfast|(?:sql|sqlite|sqlite3|db|dump)(?:\.(?:gz|bz2|xz|zst))?(?:\.(?:gpg|pgp|asc))?)`;

/**
 * A reader of names that a template makes; undefined where the template has no `{database}` or no `{timestamp}`, so that names tell
 * nothing. The reader gives undefined for names that are made otherwise, or for another environment: what they are nobody knows here.
 */
export function archiveSeriesReader(naming: SeriesNaming): ((name: string) => ArchiveSeries | undefined) | undefined {
  const parts = naming.template.replace(/\.holdfast$/, '').split(/(\{[^}]*\})/);
  if (!parts.includes('{database}') || !parts.includes('{timestamp}')) return undefined;
  const seen = new Set<string>();
  const patterns = parts.map((part) => {
    const isAgain = seen.has(part);
    seen.add(part);
    if (part === '{database}') return isAgain ? String.raw`\k<database>` : databasePattern;
    if (part === '{timestamp}') return isAgain ? String.raw`\k<timestamp>` : timestampPattern;
    return escapePattern(part === '{env}' ? naming.environment : part);
  });
  const pattern = new RegExp(`^${patterns.join('')}${endPattern}$`);
  return (name) => {
    const { database, timestamp, number } = pattern.exec(name)?.groups ?? {};
    if (database === undefined || timestamp === undefined) return undefined;
    const createdMs = readTimestamp(timestamp);
    return createdMs === undefined ? undefined : { database, createdMs: createdMs + Number(number ?? 1) - 1 };
  };
}

/** `20261121T020000Z` or `20261121_020000`, both in UTC; undefined where there is no such moment. */
function readTimestamp(text: string): number | undefined {
  // `T` and `Z`, or `_`: the places of the digits are the same.
  const number = (start: number, end: number) => Number(text.slice(start, end));
  const [year, month, day] = [number(0, 4), number(4, 6), number(6, 8)];
  const [hour, minute, second] = [number(9, 11), number(11, 13), number(13, 15)];
  const timeMs = Date.UTC(year, month - 1, day, hour, minute, second);
  const date = new Date(timeMs);
  const isSame = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isSame && hour < 24 && minute < 60 && second < 60 ? timeMs : undefined;
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
}
