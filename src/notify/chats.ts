import type { Secret } from '../secret.ts';
import { hostOf, postJson } from './http-post.ts';
import { asText, cut, type Notification, severityOf } from './notification.ts';
import type { Notifier, SendContext } from './notifier.ts';

/** What makes the body of a message of one chat service; the lengths are those that it takes. */
type MakeMessage = (notification: Notification) => object;

/** A message to a chat, by the URL of an incoming webhook, which is a secret itself. */
class ChatNotifier implements Notifier {
  readonly type: string;
  readonly place: string;
  readonly #url: Secret;
  readonly #makeMessage: MakeMessage;

  constructor(type: string, url: Secret, makeMessage: MakeMessage) {
    this.type = type;
    this.place = hostOf(url);
    this.#url = url;
    this.#makeMessage = makeMessage;
  }

  async send(notification: Notification, { signal }: SendContext): Promise<void> {
    const value = this.#makeMessage(notification);
    await postJson({ type: this.type, url: this.#url, value, signal });
  }
}

/** Slack: an incoming webhook (`https://hooks.slack.com/services/…`), or of what speaks its language, such as Mattermost. */
export function slackNotifier({ url }: { readonly url: Secret }): Notifier {
  return new ChatNotifier('slack', url, (notification) => {
    const { title, text, facts, whatToDo, link } = notification;
    const escapeText = (value: string) =>
      value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
    const section = (value: string) => ({ type: 'section', text: { type: 'mrkdwn', text: cut(value, 3000) } });
    const fields = facts
      .slice(0, 10)
      .map(([name, value]) => ({ type: 'mrkdwn', text: cut(`*${escapeText(name)}*\n${escapeText(value)}`, 2000) }));
    return {
      text: cut(escapeText(title), 3000),
      blocks: [
        { type: 'header', text: { type: 'plain_text', text: cut(title, 150) } },
        ...(text === '' ? [] : [section(escapeText(text))]),
        ...(fields.length > 0 ? [{ type: 'section', fields }] : []),
        ...(whatToDo === undefined ? [] : [section(`*What to do:* ${escapeText(whatToDo)}`)]),
        ...(link === undefined ? [] : [section(`<${escapeText(link)}|Open>`)]),
      ],
    };
  });
}

const discordColours = { good: 0x2e7d32, warning: 0xf9a825, bad: 0xc62828 } as const;

/** Discord: a webhook of a channel (`https://discord.com/api/webhooks/…`). */
export function discordNotifier({ url }: { readonly url: Secret }): Notifier {
  return new ChatNotifier('discord', url, (notification) => {
    const { title, text, facts, whatToDo, link, occurredMs, event } = notification;
    const fields = facts.map(([name, value]) => ({ name: cut(name, 256), value: cut(value, 1000), inline: true }));
    if (whatToDo !== undefined) fields.unshift({ name: 'What to do', value: cut(whatToDo, 1000), inline: false });
    return {
      // A name in a message is not a call to anyone.
      allowed_mentions: { parse: [] },
      embeds: [
        {
          title: cut(title, 256),
          description: cut(text, 3000),
          color: discordColours[severityOf(event)],
          // All of an embed has 6,000 characters at most.
          fields: fields.map((field) => ({ ...field, value: cut(field.value || '-', 200) })).slice(0, 10),
          timestamp: new Date(occurredMs).toISOString(),
          ...(link === undefined ? {} : { url: link }),
        },
      ],
    };
  });
}

const teamsColours = { good: 'Good', warning: 'Warning', bad: 'Attention' } as const;

/** Microsoft Teams: a workflow that posts to a channel when a webhook is called; it takes an Adaptive Card. */
export function teamsNotifier({ url }: { readonly url: Secret }): Notifier {
  return new ChatNotifier('teams', url, (notification) => {
    const { title, text, facts, whatToDo, link, event } = notification;
    const block = (value: string, more: object = {}) => ({
      type: 'TextBlock',
      text: cut(value, 4000),
      wrap: true,
      ...more,
    });
    const card = {
      $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
      type: 'AdaptiveCard',
      version: '1.4',
      body: [
        block(title, { weight: 'Bolder', size: 'Medium', color: teamsColours[severityOf(event)] }),
        block(text),
        { type: 'FactSet', facts: facts.map(([name, value]) => ({ title: name, value: cut(value, 1000) })) },
        ...(whatToDo === undefined ? [] : [block(`What to do: ${whatToDo}`)]),
      ],
      ...(link === undefined ? {} : { actions: [{ type: 'Action.OpenUrl', title: 'Open', url: link }] }),
    };
    return {
      type: 'message',
      attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', content: card }],
    };
  });
}

/** Where the Bot API of Telegram is. */
const telegramApiUrl = 'https://api.telegram.org';
const telegramTextLength = 4096;

/** Telegram: a bot that is in the chat. */
export class TelegramNotifier implements Notifier {
  readonly type = 'telegram';
  readonly place: string;
  readonly #options: { readonly botToken: Secret; readonly chatId: string; readonly apiUrl?: string };

  constructor(options: { readonly botToken: Secret; readonly chatId: string; readonly apiUrl?: string }) {
    this.#options = options;
    this.place = `chat ${options.chatId}`;
  }

  async send(notification: Notification, { signal }: SendContext): Promise<void> {
    const { botToken, chatId, apiUrl = telegramApiUrl } = this.#options;
    const { Secret } = await import('../secret.ts');
    const url = new Secret(`${apiUrl.replace(/\/$/, '')}/bot${botToken.reveal()}/sendMessage`);
    const text = asText(notification, telegramTextLength);
    const value = { chat_id: chatId, text, link_preview_options: { is_disabled: true } };
    await postJson({ type: this.type, url, value, signal });
  }
}
