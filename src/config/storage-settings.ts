import { z } from 'zod';
import { storageAdapters } from '../storage/adapters.ts';
import { isStorage } from '../storage/is-storage.ts';
import type { Storage } from '../storage/storage.ts';
import type { StorageAdapter } from '../storage/storage-adapter.ts';
import { missingText } from './missing-text.ts';
import { nearestName } from './nearest-name.ts';

const bytesPerSecond = z.int().min(1);

/** What every storage can be told, whatever its backend. */
const commonSettings = {
  /** `false` leaves it out of backups and scrubs; commands that name it use it all the same. */
  enabled: z.boolean().optional(),
  /** How often an archive holds everything here; that of the configuration unless set. */
  copies: z.int().min(1).max(8).optional(),
  /** Parity blocks of a stripe here: 16 unless set. */
  parityBlocks: z.int().min(2).max(64).optional(),
  /** Bytes a second, each way, or a number for each. */
  throttle: z
    .union([
      bytesPerSecond,
      z.strictObject({
        readBytesPerSecond: bytesPerSecond.optional(),
        writeBytesPerSecond: bytesPerSecond.optional(),
      }),
    ])
    .optional(),
  /** Nothing is written or deleted here. */
  readOnly: z.boolean().optional(),
  /** How calls that fail for a moment are repeated: 5 tries within two minutes unless set; `false` repeats none. */
  retry: z
    .union([
      z.literal(false),
      z.strictObject({
        tries: z.int().min(1).max(100).optional(),
        totalTimeMs: z.int().min(0).optional(),
        firstDelayMs: z.int().min(1).optional(),
        maximumDelayMs: z.int().min(1).optional(),
      }),
    ])
    .optional(),
} as const;

type CommonShape = typeof commonSettings;
type Schema = (typeof storageAdapters)[number]['schema'];
type CommonInput = { [Name in keyof CommonShape]?: z.input<CommonShape[Name]> };
type Distribute<One> = One extends z.ZodObject ? z.input<One> & CommonInput : never;

/** Settings of one storage: `backend` and what that takes, and what every storage takes. */
export type StorageSettings = Distribute<Schema>;

/** The same where archives go, which have a place of their own unless it is said. */
type ArchiveStorageSettings =
  | StorageSettings
  | (Omit<Extract<StorageSettings, { readonly backend: 'local' }>, 'path'> & { readonly path?: string });

/** Where archives go: the settings of a storage, or an object that is one. */
export type StorageGiven = ArchiveStorageSettings | Storage;

/** What every storage can be told, as it was read. */
export interface CommonStorageSettings {
  readonly enabled?: boolean | undefined;
  readonly copies?: number | undefined;
  readonly parityBlocks?: number | undefined;
  readonly throttle?: z.output<CommonShape['throttle']>;
  readonly readOnly?: boolean | undefined;
  readonly retry?: z.output<CommonShape['retry']>;
}

/** Settings that were checked, taken apart. */
export interface ParsedStorage {
  readonly adapter: StorageAdapter;
  readonly common: CommonStorageSettings;
  readonly own: Record<string, unknown>;
}

const commonNames = Object.keys(commonSettings);
const adapters: readonly StorageAdapter[] = storageAdapters as unknown as readonly StorageAdapter[];

/** Every name that a setting of a storage can have. */
export const storageSettingNames: readonly string[] = [
  ...new Set([...commonNames, ...adapters.flatMap(({ schema }) => Object.keys(schema.shape))]),
];

/** Where archives go in a storage whose settings do not say so. An application's files have no such place. */
const archiveDefaults: Readonly<Record<string, object>> = { local: { path: 'backups' }, s3: { prefix: 'db-backups' } };

/** The settings with the place of archives in them. */
function withArchiveDefaults<Given extends StorageGiven>(given: Given): Given {
  if (typeof given !== 'object' || given === null || isStorage(given)) return given;
  const { backend } = given as { readonly backend?: unknown };
  if (typeof backend !== 'string' || !Object.hasOwn(archiveDefaults, backend)) return given;
  return { ...archiveDefaults[backend], ...given };
}

/** JSON Schema of the settings of each backend; those of archives need no place. */
export function archiveStorageJsonSchemas(): object[] {
  return (storageJsonSchemas() as { required?: string[]; properties: Record<string, { const?: string }> }[]).map(
    ({ required = [], ...schema }) => {
      const known = Object.keys(archiveDefaults[schema.properties['backend']?.const ?? ''] ?? {});
      return { ...schema, required: required.filter((name) => !known.includes(name)) };
    },
  );
}

/** JSON Schema of the settings of each backend. */
export function storageJsonSchemas(): object[] {
  return adapters.map(({ schema }) => {
    const { $schema: _, ...one } = z.toJSONSchema(schema.safeExtend(commonSettings), {
      io: 'input',
      unrepresentable: 'any',
    });
    return one;
  });
}

/** What is wrong with a setting. `path` starts from the storage. */
export interface StorageProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** What the check of a value found: with what was written the message can show the value as well. */
  readonly issue?: z.core.$ZodIssue;
}

/** Checks the settings of one storage by those of its backend. */
export function parseStorage(value: object): ParsedStorage | { readonly problems: readonly StorageProblem[] } {
  const { backend } = value as { readonly backend?: unknown };
  const adapter = adapters.find((one) => one.backend === backend);
  if (adapter === undefined) return { problems: [{ path: ['backend'], message: unknownBackend(backend) }] };
  const schema = adapter.schema.safeExtend(commonSettings);
  const result = schema.safeParse(value);
  if (!result.success) return { problems: result.error.issues.flatMap((issue) => problemsOf(issue, schema)) };
  const entries = Object.entries(result.data);
  const common = Object.fromEntries(entries.filter(([name]) => commonNames.includes(name)));
  const own = Object.fromEntries(entries.filter(([name]) => !commonNames.includes(name)));
  return { adapter, common, own };
}

function unknownBackend(backend: unknown): string {
  const names = adapters.map((adapter) => adapter.backend);
  if (typeof backend !== 'string') return `say which it is: ${names.join(', ')}`;
  const nearest = nearestName(backend, names);
  const advice = nearest === undefined ? `there are ${names.join(', ')}` : `did you mean ${nearest}?`;
  return `there is no backend ${JSON.stringify(backend)} (${advice})`;
}

function problemsOf(issue: z.core.$ZodIssue, { shape }: z.ZodObject): StorageProblem[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    const candidates = path.length === 0 ? Object.keys(shape) : storageSettingNames;
    return issue.keys.map((name) => {
      const nearest = nearestName(name, candidates);
      const advice = nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
      return { path: [...path, name], message: `there is no such setting${advice}` };
    });
  }
  // Zod tells by its message alone that there is nothing.
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  return [{ path, message: isMissing ? missingText(issue.expected) : issue.message, issue }];
}

/** The names and settings of a `storage` setting, with the place of archives: one storage, which its backend names, or several by name. */
export function namedStorages(value: StorageGiven | Readonly<Record<string, StorageGiven>>): [string, StorageGiven][] {
  if (isStorage(value)) return [[value.properties.backend, value]];
  if (typeof value.backend === 'string') return [[value.backend, withArchiveDefaults(value as StorageGiven)]];
  const named = Object.entries(value as Readonly<Record<string, StorageGiven>>);
  return named.map(([name, given]) => [name, withArchiveDefaults(given)]);
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

function problemsOfAll(value: object): StorageProblem[] {
  if (Object.keys(value).length === 0) return [{ path: [], message: 'there is no storage in it' }];
  return namedStorages(value as StorageGiven).flatMap(([name, given]) => {
    const isOne = !isStorage(value) && typeof (value as { backend?: unknown }).backend === 'string';
    const parents = isOne ? [] : [name];
    if (!namePattern.test(name)) {
      return [{ path: parents, message: 'a name has letters, digits, dots, hyphens and underscores' }];
    }
    if (isStorage(given)) return [];
    if (typeof given !== 'object' || given === null) return [{ path: parents, message: 'it is no storage' }];
    const parsed = parseStorage(given);
    return 'problems' in parsed
      ? parsed.problems.map((problem) => ({ ...problem, path: [...parents, ...problem.path] }))
      : [];
  });
}

/** The `storage` setting of a configuration. What was checked is given on as it was written, for the adapter to read. */
export const storageSchema = z
  .custom<StorageGiven | Readonly<Record<string, StorageGiven>>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'must be a storage, or several by name',
  )
  .superRefine((value, context) => {
    for (const { path, message, issue } of problemsOfAll(value)) {
      context.addIssue({ code: 'custom', path: [...path], message, params: { issue } });
    }
  });
