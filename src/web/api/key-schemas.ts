import { z } from 'zod';
import { Secret } from '../../secret.ts';
import type { GivenKeys } from '../services/web-services.ts';

const secret = z
  .string()
  .min(1)
  .max(4096)
  .transform((text) => new Secret(text));

/** A passphrase or an identity: it is used for this request, and neither stored nor logged. */
export const secretSchema = secret;

/** What opens an archive. */
export const keyFields = {
  passphrase: secret.optional(),
  identities: z
    .array(
      z
        .string()
        .regex(/^AGE-SECRET-KEY-1[0-9A-Z]{1,200}$/i, 'must be an age identity')
        .transform((text) => new Secret(text)),
    )
    .max(20)
    .optional(),
} as const;

/** The keys of a body. */
export function keysOf({
  passphrase,
  identities,
}: {
  passphrase?: Secret | undefined;
  identities?: Secret[] | undefined;
}): GivenKeys {
  return { ...(passphrase && { passphrase }), ...(identities && { identities }) };
}
