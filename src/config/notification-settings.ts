import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type NotificationEvent, notificationEvents } from '../notify/notification.ts';
import type { Notifier } from '../notify/notifier.ts';
import type { Subscription } from '../notify/send-all.ts';
import { Secret } from '../secret.ts';

const secretUrl = z.string().regex(/^(https?:\/\/|\$\{)/, 'must be a URL that begins with https://');

/** What every way of telling can be set to. */
const common = {
  /** `false` tells nothing by it. */
  enabled: z.boolean().optional(),
  /** What is told by it; by `notifyOnSuccess` and `notifyOnFailure` unless set, and everything to a ping. */
  events: z.array(z.enum(notificationEvents)).min(1).optional(),
} as const;

const emailSchema = z.strictObject({
  type: z.literal('email'),
  ...common,
  host: z.string().min(1),
  /** 587 unless set; 465 with the security `tls`, 25 with `none`. */
  port: z.int().min(1).max(65_535).optional(),
  /** `starttls` unless set. */
  security: z.enum(['starttls', 'tls', 'none']).optional(),
  user: z.string().min(1).optional(),
  password: z.string().min(1).optional(),
  from: z.string().min(1),
  to: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
  /** Path of a certificate authority in PEM. */
  caPath: z.string().min(1).optional(),
});

const webhookSchema = z.strictObject({
  type: z.literal('webhook'),
  ...common,
  url: secretUrl,
  /** Signs each request. */
  secret: z.string().min(16, 'must have 16 characters or more').optional(),
  headers: z.record(z.string().regex(/^[A-Za-z0-9-]+$/), z.string()).optional(),
});

const chatSchemas = (['slack', 'discord', 'teams', 'ping'] as const).map((type) =>
  z.strictObject({ type: z.literal(type), ...common, url: secretUrl }),
);

const telegramSchema = z.strictObject({
  type: z.literal('telegram'),
  ...common,
  botToken: z.string().min(1),
  chatId: z.union([z.string().min(1), z.int()]),
  /** Of a Bot API server of one's own. */
  apiUrl: z.string().min(1).optional(),
});

const [slackSchema, discordSchema, teamsSchema, pingSchema] = chatSchemas as [
  ChatSchema<'slack'>,
  ChatSchema<'discord'>,
  ChatSchema<'teams'>,
  ChatSchema<'ping'>,
];

type ChatSchema<Type extends string> = z.ZodObject<
  { type: z.ZodLiteral<Type>; url: typeof secretUrl } & typeof common,
  z.core.$strict
>;

/** One way of telling. */
export const notificationSchema = z.discriminatedUnion('type', [
  emailSchema,
  webhookSchema,
  slackSchema,
  discordSchema,
  teamsSchema,
  telegramSchema,
  pingSchema,
]);

/** Every name that a setting of a notification can have. */
export const notificationSettingNames: readonly string[] = [
  ...new Set([emailSchema, webhookSchema, slackSchema, telegramSchema].flatMap((schema) => Object.keys(schema.shape))),
];

/** Settings of one way of telling. */
export type NotificationSettings = z.output<typeof notificationSchema>;

/** The settings of a configuration that say who is told what. */
export interface NotifySettings {
  readonly notifications?: readonly NotificationSettings[] | undefined;
  readonly notifyOnSuccess?: boolean | undefined;
  readonly notifyOnFailure?: boolean | undefined;
}

/** Who is told what by a configuration. Loads the libraries that are needed. Throws `config.invalid`. */
export async function openSubscriptions(settings: NotifySettings, file: string): Promise<Subscription[]> {
  const enabled = (settings.notifications ?? []).filter((one) => one.enabled !== false);
  return await Promise.all(
    enabled.map(async (one) => ({ notifier: await openNotifier(one, dirname(file)), events: eventsOf(one, settings) })),
  );
}

function eventsOf({ type, events }: NotificationSettings, settings: NotifySettings): readonly NotificationEvent[] {
  if (events !== undefined) return events;
  // A watcher raises the alarm when nothing comes: it has to be told of each success.
  if (type === 'ping') return notificationEvents;
  const { notifyOnSuccess = false, notifyOnFailure = true } = settings;
  const others = notificationEvents.filter((event) => event !== 'success');
  return [...(notifyOnSuccess ? (['success'] as const) : []), ...(notifyOnFailure ? others : [])];
}

async function openNotifier(settings: NotificationSettings, folder: string): Promise<Notifier> {
  switch (settings.type) {
    case 'email': {
      const { EmailNotifier } = await import('../notify/email.ts');
      const { host, port, security, user, password, from, to, caPath } = settings;
      return new EmailNotifier({
        host,
        from,
        to: typeof to === 'string' ? [to] : to,
        ...(port === undefined ? {} : { port }),
        ...(security === undefined ? {} : { security }),
        ...(user === undefined ? {} : { user }),
        ...(password === undefined ? {} : { password: new Secret(password) }),
        ...(caPath === undefined ? {} : { caPath: resolve(folder, caPath) }),
      });
    }
    case 'webhook': {
      const { WebhookNotifier } = await import('../notify/webhook.ts');
      const { url, secret, headers } = settings;
      return new WebhookNotifier({
        url: new Secret(url),
        ...(secret === undefined ? {} : { secret: new Secret(secret) }),
        ...(headers === undefined ? {} : { headers }),
      });
    }
    case 'telegram': {
      const { TelegramNotifier } = await import('../notify/chats.ts');
      const { botToken, chatId, apiUrl } = settings;
      const api = apiUrl === undefined ? {} : { apiUrl };
      return new TelegramNotifier({ botToken: new Secret(botToken), chatId: String(chatId), ...api });
    }
    case 'ping': {
      const { PingNotifier } = await import('../notify/ping.ts');
      return new PingNotifier({ url: new Secret(settings.url) });
    }
    default: {
      const chats = await import('../notify/chats.ts');
      const make = { slack: chats.slackNotifier, discord: chats.discordNotifier, teams: chats.teamsNotifier };
      return make[settings.type]({ url: new Secret(settings.url) });
    }
  }
}
