import { isStorage } from '../storage/is-storage.ts';

/** Names of settings whose values are nobody's business. */
const secretName =
  /(key|secret|token|password|passphrase|credential|signature|webhook|connectionstring|authorization|pass)$/i;
/** Names that end alike and are no secret. */
const publicName = /^(openpgpKeys|keyPath|privateKeyPath|recipients)$/i;
const redacted = '[redacted]';

/** Whether the value of a setting of this name must not be shown. */
export function isSecretName(name: string): boolean {
  return secretName.test(name) && !publicName.test(name);
}

/** A text without what is secret in it: the password and the query of a URL, which may hold another. */
export function redactText(text: string): string {
  return text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)(.*)@/is, (_, scheme: string, user: string) =>
      user.includes(':') ? `${scheme}${user.slice(0, user.indexOf(':'))}:${redacted}@` : `${scheme}${user}@`,
    )
    .replace(/([?&][^=&#]*(?:key|secret|token|password|signature|sig)=)[^&#]*/gi, `$1${redacted}`);
}

/**
 * A configuration as it can be shown to anyone. Variables stand as they are written, `${NAME}`: what they hold is not asked for. What is no
 * plain value is told by its kind.
 */
export function redact(value: unknown, name = ''): unknown {
  if (typeof value === 'string') {
    const isVariable = /^\$\{[^}]*\}$/.test(value);
    if (isVariable) return value;
    return isSecretName(name) ? redacted : redactText(value);
  }
  if (typeof value === 'function') return '[function]';
  if (typeof value !== 'object' || value === null) return isSecretName(name) && value != null ? redacted : value;
  if (isStorage(value)) return `[storage ${value.properties.backend}]`;
  if (Array.isArray(value)) return value.map((item) => redact(item, name));
  // The URL of a chat's webhook is the secret itself.
  const isWebhook = 'type' in value && 'url' in value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      redact(inner, isSecretName(name) || (isWebhook && key === 'url') || name === 'headers' ? 'secret' : key),
    ]),
  );
}
