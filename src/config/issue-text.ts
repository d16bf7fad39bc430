import type { z } from 'zod';
import { missingText } from './missing-text.ts';
import { nearestName } from './nearest-name.ts';
import { isSecretName, redactText } from './redact.ts';

/**
 * What is said of a setting that is not as it has to be: what is allowed, the value that was given, where it is no secret, and the nearest one that is allowed.
 * `path` starts from `raw`, what was written.
 */
export function issueText(issue: z.core.$ZodIssue, path: readonly PropertyKey[], raw: unknown): string {
  // Settings of a storage are checked by its adapter, whose finding stands in the issue.
  const inner: unknown = issue.code === 'custom' ? issue.params?.['issue'] : undefined;
  if (inner !== undefined) return issueText(inner as z.core.$ZodIssue, path, raw);
  const value = valueAt(path, raw);
  if (issue.code === 'invalid_type' && value === undefined) return missingText(issue.expected);
  return `${issue.message}${shownValue(issue, path, value)}`;
}

function valueAt(path: readonly PropertyKey[], raw: unknown): unknown {
  let value = raw;
  for (const part of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[part];
  return value;
}

const maximumShown = 60;

/** The value that was given, as it was written and where it is no secret, and the nearest one that is allowed. */
function shownValue(issue: z.core.$ZodIssue, path: readonly PropertyKey[], value: unknown): string {
  const isShown = ['string', 'number', 'boolean'].includes(typeof value) && issue.code !== 'custom';
  if (!isShown || path.some((part) => isSecretName(String(part)))) return '';
  const text = JSON.stringify(typeof value === 'string' ? redactText(value) : value);
  const shown = text.length > maximumShown ? `${text.slice(0, maximumShown)}…` : text;
  const allowed = allowedValues(issue);
  const nearest = typeof value === 'string' ? nearestName(value, allowed) : undefined;
  return `, not ${shown}${nearest === undefined ? '' : ` (did you mean ${nearest}?)`}`;
}

function allowedValues(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  // Of what tells the kinds of a setting apart, the message alone lists them.
  return issue.code === 'invalid_union' ? [...issue.message.matchAll(/'([^']+)'/g)].map(([, name = '']) => name) : [];
}
