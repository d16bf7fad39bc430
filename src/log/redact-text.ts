import { isSecretName } from '../config/redact.ts';
import { Secret } from '../secret.ts';

const redacted = '[redacted]';

/** What is secret by its form, wherever it stands. The group, where there is one, stays. */
const patterns: readonly RegExp[] = [
  // Up to the last @: a password that is not percent-encoded may hold both / and @.
  /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@'"]*:)[^\s'"]*(?=@)/gi,
  /([?&;][^\s=&#]*(?:key|secret|token|password|passphrase|signature|sig|credential|code)=)[^\s&#'"]*/gi,
  /((?:^|[\s,;{(])[\w.-]*(?:key|secret|token|password|passphrase|passwd|pwd)=)(?:"[^"]*"|'[^']*'|[^\s,;&"')}]+)/gi,
  /("[^"]*(?:key|secret|token|password|passphrase|passwd|pwd|authorization)"\s*:\s*)"(?:[^"\\]|\\.)*"/gi,
  /(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}/gi,
  /(:\/\/hooks\.slack\.com\/|:\/\/(?:[\w.-]+\.)?discord(?:app)?\.com\/api\/webhooks\/|:\/\/api\.telegram\.org\/bot)[^\s'"]*/gi,
  /(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /()\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g,
  /()\bAGE-SECRET-KEY-1[0-9A-Z]+/gi,
  /()\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+/g,
];

/** A shorter value stands in too many words to be taken out of them. */
const minimumLength = 4;
const depthLimit = 6;
/** A longer text is cut, at a space: patterns look at each character more than once, and half a secret is not known for one. */
const lengthLimit = 16 * 1024;

/** Variables of shells with the folder that they are in, and the one before. */
const folderNames = ['PWD', 'OLDPWD'];

/** The secrets that the variables of a process hold: values of names that say so, and passwords in URLs. */
function secretsOf(environment: Readonly<Record<string, string | undefined>>): string[] {
  const found = Object.entries(environment).flatMap(([name, value = '']) => {
    if (isSecretName(name) || (/pwd$/i.test(name) && !folderNames.includes(name))) return [value];
    const [, password = ''] = /^[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:(.*)@/i.exec(value) ?? [];
    return [password];
  });
  const spellings = found.flatMap((value) => [value, decoded(value), encodeURIComponent(value), value.trim()]);
  // The longest first: one may be a part of another.
  return [...new Set(spellings)]
    .filter((value) => value.length >= minimumLength)
    .sort((one, other) => other.length - one.length);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // It was not encoded.
    return text;
  }
}

/** Takes secrets out of what is logged: those that the environment holds, and all that looks like one. */
export class Redactor {
  readonly #secrets: readonly string[];

  constructor(environment: Readonly<Record<string, string | undefined>>) {
    this.#secrets = secretsOf(environment);
  }

  /** A text without secrets. */
  text(text: string): string {
    let result = text;
    for (const secret of this.#secrets) result = result.replaceAll(secret, redacted);
    if (result.length > lengthLimit) result = `${result.slice(0, lengthLimit).replace(/\S*$/, '')}…`;
    for (const pattern of patterns) result = result.replace(pattern, `$1${redacted}`);
    return result;
  }

  /** A value for JSON without secrets; what lies too deep is left out. */
  value(value: unknown, name = '', depth = 0): unknown {
    if (value === null || value === undefined) return value;
    if (value instanceof Secret || isSecretName(name)) return redacted;
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object') return typeof value === 'function' ? undefined : value;
    if (depth >= depthLimit) return '…';
    if (Array.isArray(value)) return value.map((item) => this.value(item, name, depth + 1));
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [this.text(key), this.value(inner, key, depth + 1)]),
    );
  }
}
