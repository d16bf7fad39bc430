/** The `media` setting of a configuration: where an application keeps the files of its users. */
import { z } from 'zod';
import { isStorage } from '../storage/is-storage.ts';
import { domainPattern, type MediaUrlSettings } from '../storage/media/media-environment.ts';
import { type MediaGiven, mediaUrlNames, splitMediaSettings } from './media-given.ts';
import { nearestName } from './nearest-name.ts';
import { parseStorage, type StorageProblem, storageJsonSchemas } from './storage-settings.ts';

const urlShape: Readonly<Record<keyof MediaUrlSettings, z.ZodType>> = {
  /** Gives files an ACL that lets anybody read them, and URLs below `customDomain`. */
  makeFilesPublic: z.boolean().optional(),
  /** The domain of the CDN in front of the bucket. */
  customDomain: z
    .string()
    .regex(domainPattern, 'must be a domain such as cdn.example.org, without https://')
    .optional(),
  /** How long signed URLs are valid: 3,600 unless set. */
  urlExpiresSeconds: z.int().min(1).max(604_800).optional(),
  /** `Cache-Control` of files that are saved. */
  cacheControl: z.string().min(1).optional(),
};

const urlSchema = z.object(urlShape);
/** Of archives: a media storage has none. */
const archiveNames = ['copies', 'parityBlocks', 'objectLock'];

/** Every name that a setting of a media storage has of its own, for suggestions. */
export const mediaSettingNames: readonly string[] = [...mediaUrlNames, 'fromEnvironment'];

/** What is wrong with the settings of one media storage; paths start from it. */
export function mediaProblems(settings: object): readonly StorageProblem[] {
  const { storage, url } = splitMediaSettings(settings);
  const foreign = archiveNames.filter((name) => Object.hasOwn(storage, name));
  const problems: StorageProblem[] = foreign.map((name) => ({
    path: [name],
    message: 'is for archives: a media storage does not take it',
  }));
  const parsed = parseStorage(Object.fromEntries(Object.entries(storage).filter(([name]) => !foreign.includes(name))));
  if ('problems' in parsed) problems.push(...parsed.problems.map((problem) => withUrlNames(problem)));
  const result = urlSchema.safeParse(url);
  if (!result.success)
    problems.push(...result.error.issues.map((issue) => ({ path: issue.path, message: issue.message, issue })));
  else if (url.makeFilesPublic === true && url.customDomain === undefined) {
    problems.push({
      path: ['customDomain'],
      message: 'is missing: with makeFilesPublic it names the domain of the CDN',
    });
  }
  return problems;
}

/** A misspelt setting may be meant for one of the media storage's own. */
function withUrlNames(problem: StorageProblem): StorageProblem {
  const { path, message } = problem;
  const name = String(path.at(-1) ?? '');
  const nearest = message === 'there is no such setting' ? nearestName(name, mediaSettingNames) : undefined;
  return nearest === undefined ? problem : { path, message: `${message} (did you mean ${nearest}?)` };
}

function problemsOf(given: unknown): readonly StorageProblem[] {
  if (isStorage(given)) return [];
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return [{ path: [], message: 'must be the settings of a storage, or { fromEnvironment: true }' }];
  }
  if (!('fromEnvironment' in given)) return mediaProblems(given);
  const others = Object.keys(given).filter((name) => name !== 'fromEnvironment');
  if (given.fromEnvironment !== true) return [{ path: ['fromEnvironment'], message: 'must be true, or left out' }];
  return others.map((name) => ({ path: [name], message: 'beside fromEnvironment nothing else is set' }));
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** The `media` setting: media storages by name. What was checked is given on as it was written. */
export const mediaSchema = z
  .custom<Readonly<Record<string, MediaGiven>>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && !isStorage(value),
    'must be media storages by name',
  )
  .superRefine((value, context) => {
    for (const [name, given] of Object.entries(value)) {
      const found: readonly StorageProblem[] = namePattern.test(name)
        ? problemsOf(given)
        : [{ path: [], message: 'a name has letters, digits, dots, hyphens and underscores' }];
      for (const { path, message, issue } of found)
        context.addIssue({ code: 'custom', path: [name, ...path], message, params: { issue } });
    }
  });

/** JSON Schema of one media storage. */
export function mediaJsonSchema(): object {
  const { properties } = z.toJSONSchema(urlSchema, { io: 'input' });
  const storages = (storageJsonSchemas() as { properties: Record<string, object> }[]).map((schema) => {
    const own = Object.entries(schema.properties).filter(([name]) => !archiveNames.includes(name));
    return { ...schema, properties: { ...Object.fromEntries(own), ...properties } };
  });
  const fromEnvironment = {
    type: 'object',
    properties: { fromEnvironment: { const: true } },
    required: ['fromEnvironment'],
    additionalProperties: false,
  };
  return { anyOf: [...storages, fromEnvironment] };
}
