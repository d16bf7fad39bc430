import type { z } from 'zod';
import { HoldfastError } from '../errors.ts';
import { configSchema, type HoldfastConfig, settingNames } from './config-schema.ts';
import { nearestName } from './nearest-name.ts';
import { formatSettingPath, substituteVariables } from './substitute-variables.ts';

type Issue = z.core.$ZodIssue;

interface Problem {
  readonly path: string;
  readonly message: string;
}

/** Checks what a configuration file holds, with its variables put in. Throws `config.invalid`, whose context lists all problems. */
export function parseConfig(
  value: unknown,
  environment: Readonly<Record<string, string | undefined>>,
  file: string,
): HoldfastConfig {
  const result = configSchema.safeParse(substituteVariables(value, environment));
  if (result.success) {
    checkAliases(result.data, file);
    return result.data;
  }
  throw configError(
    file,
    result.error.issues.flatMap((issue) => problemsOf(issue, [])),
  );
}

function configError(file: string, problems: readonly Problem[]): HoldfastError {
  const first = problems[0] ?? { path: '', message: 'it is not valid' };
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const where = first.path === '' ? '' : `${first.path}: `;
  return new HoldfastError('config.invalid', {
    message: `${file}: ${where}${first.message}${more}`,
    context: { file, problems },
  });
}

function problemsOf(issue: Issue, parents: readonly PropertyKey[]): Problem[] {
  const path = [...parents, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => {
      const nearest = nearestName(name, settingNames);
      const advice = nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
      return { path: formatSettingPath([...path, name]), message: `there is no such setting${advice}` };
    });
  }
  if (issue.code === 'invalid_union') {
    // The alternative that got furthest into the value is the one that was meant.
    const meant = issue.errors.find((issues) =>
      issues.some((inner) => inner.path.length > 0 || inner.code !== 'invalid_type'),
    );
    if (meant !== undefined) return meant.flatMap((inner) => problemsOf(inner, path));
  }
  return [{ path: formatSettingPath(path), message: issue.message }];
}

function checkAliases(config: HoldfastConfig, file: string): void {
  const seen = new Set<string>();
  for (const list of ['databases', 'commands'] as const) {
    for (const [index, { alias }] of (config[list] ?? []).entries()) {
      const path = `${list}[${index}].alias`;
      if (seen.has(alias)) throw configError(file, [{ path, message: `${alias} is the alias of another database` }]);
      seen.add(alias);
    }
  }
}
