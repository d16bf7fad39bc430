import { z } from 'zod';

const headerName = z.string().regex(/^[A-Za-z0-9-]{1,100}$/, 'must be the name of a header');

const trustedProxySchema = z.strictObject({
  /** The header with the user's name, such as `x-forwarded-user`; the proxy has to remove it from what it passes on. */
  userHeader: headerName,
  /** A header with his role. */
  roleHeader: headerName.optional(),
  /** The role where no header says: `viewer` unless set. */
  role: z.enum(['viewer', 'operator', 'admin']).optional(),
});

const uploadsSchema = z.strictObject({
  /** Where uploads wait; `.holdfast/uploads` beside the configuration unless set. */
  folder: z.string().min(1).optional(),
  /** Most of one, in MiB: 1,048,576 unless set. */
  maximumSizeMb: z.int().min(1).optional(),
  /** Most of all that wait, in MiB: 1,048,576 unless set. */
  maximumTotalMb: z.int().min(1).optional(),
});

const secretText = z
  .string()
  .min(32, 'must have 32 characters or more: make them at random, `openssl rand -base64 32`');

/** The web admin. */
export const webSchema = z.strictObject({
  /** Whether `holdfast serve` serves it: `true` unless set. */
  enabled: z.boolean().optional(),
  /** The address that it listens at: `127.0.0.1` unless set. */
  host: z.string().min(1).optional(),
  /** 8420 unless set. */
  port: z.int().min(0).max(65_535).optional(),
  /** The path that it stands under, such as `/backups`; none unless set. */
  basePath: z
    .string()
    .regex(/^(\/[A-Za-z0-9._~-]+)+$/, 'must begin with a /, and not end with one: /backups')
    .optional(),
  /** Where it is seen from outside, such as `https://backups.example.org`. */
  origin: z
    .string()
    .regex(/^https?:\/\/[^/?#\s]+$/, 'must be a URL without a path: https://backups.example.org')
    .optional(),
  /** Addresses, or ranges such as `10.0.0.0/8`, of proxies whose forwarding headers are believed; none unless set. */
  proxyAddresses: z.array(z.string().min(1)).optional(),
  /** A proxy that says who the user is, in place of our own login; believed from `proxyAddresses` alone. */
  trustedProxy: trustedProxySchema.optional(),
  /**
   * What the keys of second factors are sealed with, such as `${HOLDFAST_WEB_SECRET}`: 32 random characters or more, the same on every machine
   * that shares a history. Of several the first seals, and all of them open. Unless set a file beside a history of SQLite, `web.key`.
   */
  secret: z.union([secretText, z.array(secretText).min(1).max(10)]).optional(),
  /** A session ends after so long without a request: 120 unless set. */
  sessionIdleMinutes: z.int().min(1).max(10_080).optional(),
  /** A session ends after so long in any case: 24 unless set. */
  sessionHours: z.int().min(1).max(720).optional(),
  /** Files that are uploaded. */
  uploads: uploadsSchema.optional(),
});

/** What the configuration says of the web admin. */
export type WebSettings = z.output<typeof webSchema>;

/** The names of its settings, for suggestions. */
export const webSettingNames: readonly string[] = [webSchema, trustedProxySchema, uploadsSchema].flatMap((schema) =>
  Object.keys(schema.shape),
);
