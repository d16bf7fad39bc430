import { dirname } from 'node:path';
import type { z } from 'zod';
import { HoldfastError } from '../errors.ts';
import { urlKindProblem } from '../source/engines.ts';
import { isStorage } from '../storage/is-storage.ts';
import { readMediaEnvironment } from '../storage/media/media-environment.ts';
import { configSchema, type HoldfastConfig, settingNames, topSettingNames } from './config-schema.ts';
import { issueText } from './issue-text.ts';
import type { MediaGiven, MediaSettings } from './media-given.ts';
import { misplacedBackups } from './misplaced-backups.ts';
import { nearestName } from './nearest-name.ts';
import { spreadProblems } from './protection-settings.ts';
import { formatSettingPath, substituteVariables, type UsedVariable } from './substitute-variables.ts';

type Issue = z.core.$ZodIssue;

/** What is wrong with a setting. */
export interface ConfigProblem {
  /** `databases[0].url`; empty for the whole. */
  readonly path: string;
  readonly message: string;
}

/** A configuration that was read, or all that is wrong with it. */
export type ReadConfig = { readonly config: HoldfastConfig } | { readonly problems: readonly ConfigProblem[] };

type Variables = Readonly<Record<string, string | undefined>>;

/** Checks what a configuration file holds, with its variables put in. Throws `config.invalid`, whose context lists all problems. */
export function parseConfig(value: unknown, variables: Variables, file: string): HoldfastConfig {
  const read = readConfig(value, variables, dirname(file));
  if ('config' in read) return read.config;
  throw configError(file, read.problems);
}

/** The same without an error. Relative paths start from `folder`. */
export function readConfig(value: unknown, variables: Variables, folder = '.'): ReadConfig {
  const used: UsedVariable[] = [];
  const substituted = substituteVariables(value, variables, (variable) => used.push(variable));
  const read = readSubstituted({ value, substituted, used }, variables, folder);
  return 'config' in read ? read : { problems: read.problems.map((problem) => asWritten(problem, used)) };
}

/** A configuration as it was written, and with its variables put in. */
interface Given {
  readonly value: unknown;
  readonly substituted: unknown;
  readonly used: readonly UsedVariable[];
}

function readSubstituted({ value, substituted, used }: Given, variables: Variables, folder: string): ReadConfig {
  const missing = used.flatMap(({ name, value: known, path }): ConfigProblem[] => {
    const where = formatSettingPath(path);
    const message = `the variable ${name} is not set: set $${name}, or change ${where}`;
    return known === undefined ? [{ path: where, message }] : [];
  });
  const result = configSchema.safeParse(substituted);
  const found = result.success
    ? aliasProblems(result.data)
    : result.error.issues.flatMap((issue) => problemsOf(issue, [], value));
  // What a variable that is not set would have made of a setting nobody knows.
  const others = found.filter(({ path }) => !missing.some((problem) => problem.path === path));
  const problems = [...missing, ...others];
  if (!result.success || problems.length > 0) return { problems };
  const filled = fillMedia(result.data, variables);
  if ('problems' in filled) return filled;
  const misplaced = misplacedBackups(filled.config, folder);
  if (misplaced.length === 0) return filled;
  return { problems: misplaced.map(({ path, message }) => ({ path: formatSettingPath(path), message })) };
}

/** What is shorter is no secret, and stands in any text. */
const leastHiddenLength = 4;

/** A problem that shows no value of a variable in its setting: messages quote what was made of it, and it may be secret. */
function asWritten({ path, message }: ConfigProblem, used: readonly UsedVariable[]): ConfigProblem {
  const own = used.flatMap(({ name, value = '', path: usedAt }) => {
    const where = formatSettingPath(usedAt);
    const isIn = path === '' || where === path || where.startsWith(`${path}.`) || where.startsWith(`${path}[`);
    return isIn && value.length >= leastHiddenLength ? [{ name, value }] : [];
  });
  const longestFirst = own.sort((one, other) => other.value.length - one.value.length);
  const shown = longestFirst.reduce((text, { name, value }) => text.replaceAll(value, () => `\${${name}}`), message);
  return { path, message: shown };
}

/** Puts what the environment says of media storages in the place of `fromEnvironment`. */
function fillMedia(config: HoldfastConfig, variables: Variables): ReadConfig {
  const problems: ConfigProblem[] = [];
  const media: Record<string, MediaGiven> = {};
  for (const [name, given] of Object.entries(config.media ?? {})) {
    media[name] = given;
    if (isStorage(given) || !('fromEnvironment' in given)) continue;
    const read = readMediaEnvironment(variables);
    if ('settings' in read) media[name] = read.settings satisfies MediaSettings;
    else {
      const path = formatSettingPath(['media', name]);
      problems.push(...read.problems.map(({ variable, message }) => ({ path, message: `${variable} ${message}` })));
    }
  }
  if (problems.length > 0) return { problems };
  return { config: config.media === undefined ? config : { ...config, media } };
}

/** The error that tells of problems: the first one in its message, all in its context. */
export function configError(file: string, problems: readonly ConfigProblem[]): HoldfastError {
  const first = problems[0] ?? { path: '', message: 'it is not valid' };
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const where = first.path === '' ? '' : `${first.path}: `;
  return new HoldfastError('config.invalid', {
    message: `${file}: ${where}${first.message}${more}`,
    ...(problems.length > 1 ? { hint: 'see all with `holdfast config check`' } : {}),
    context: { file, problems },
  });
}

function problemsOf(issue: Issue, parents: readonly PropertyKey[], raw: unknown): ConfigProblem[] {
  const path = [...parents, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const candidates = path.length === 0 ? topSettingNames : settingNames;
    return issue.keys.map((name) => {
      // A name that stands elsewhere in a configuration is no advice on itself.
      const nearest = nearestName(
        name,
        candidates.filter((candidate) => candidate !== name),
      );
      const advice = nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
      return { path: formatSettingPath([...path, name]), message: `there is no such setting${advice}` };
    });
  }
  if (issue.code === 'invalid_union') {
    // The alternative that got furthest into the value is the one that was meant.
    const isInside = ({ path: inside, code }: Issue) =>
      inside.length > 0 || !['invalid_type', 'invalid_value'].includes(code);
    const meant =
      issue.errors.find((issues) => issues.some(isInside)) ??
      issue.errors.find((issues) => issues.every(({ code }) => code !== 'invalid_type'));
    if (meant !== undefined) return meant.flatMap((inner) => problemsOf(inner, path, raw));
  }
  return [{ path: formatSettingPath(path), message: issueText(issue, path, raw) }];
}

function aliasProblems(config: HoldfastConfig): ConfigProblem[] {
  const seen = new Set<string>();
  const problems: ConfigProblem[] = [];
  for (const list of ['databases', 'commands'] as const) {
    for (const [index, { alias }] of (config[list] ?? []).entries()) {
      const path = `${list}[${index}].alias`;
      if (seen.has(alias)) problems.push({ path, message: `${alias} is the alias of another database` });
      seen.add(alias);
    }
  }
  return [...problems, ...urlProblems(config), ...checkProblems(config), ...spreadProblems(config)];
}

/** A URL that names no kind of database could never be backed up. */
function urlProblems({ databases = [] }: HoldfastConfig): ConfigProblem[] {
  return databases.flatMap(({ url }, index) => {
    const problem = urlKindProblem(url);
    return problem === undefined ? [] : [{ path: `databases[${index}].url`, message: problem }];
  });
}

/** A check of a database that there is not would never run. */
function checkProblems({ databases = [], drill }: HoldfastConfig): ConfigProblem[] {
  const aliases = databases.map(({ alias }) => alias);
  return (drill?.checks ?? []).flatMap((check, index) => {
    if (typeof check === 'function' || check.database === undefined || aliases.includes(check.database)) return [];
    const nearest = nearestName(check.database, aliases);
    const advice = nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
    return [{ path: `drill.checks[${index}].database`, message: `there is no database ${check.database}${advice}` }];
  });
}
