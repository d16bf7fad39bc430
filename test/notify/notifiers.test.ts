/** Each notifier over a receiver of its own on the loopback: the contract, and what its service expects. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { HoldfastError, Secret, sendAll, verifyWebhook } from '../../src/index.ts';
import { discordNotifier, slackNotifier, TelegramNotifier, teamsNotifier } from '../../src/notify/chats.ts';
import { EmailNotifier, type EmailOptions } from '../../src/notify/email.ts';
import type { Notification } from '../../src/notify/notification.ts';
import type { Notifier } from '../../src/notify/notifier.ts';
import { PingNotifier } from '../../src/notify/ping.ts';
import { WebhookNotifier } from '../../src/notify/webhook.ts';
import { FakeClock, notifierCases, sampleNotification } from '../../src/testing/index.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { makeCertificate } from '../services/self-signed-certificate.ts';
import { leftOut } from '../services/service-packages.ts';
import { HttpReceiver } from './http-receiver.ts';
import { SmtpReceiver } from './smtp-receiver.ts';

const secret = 'canary-4711-canary-4711';
const workspace = makeWorkspace('notify');
const signal = new AbortController().signal;
let receiver: HttpReceiver;
before(async () => {
  receiver = await HttpReceiver.start();
});
after(() => receiver.stop());
beforeEach(() => {
  receiver.answer = 'accept';
  receiver.take();
});

const secretUrl = () => new Secret(`${receiver.url}/services/${secret}`);

const makers: Readonly<Record<string, () => Notifier>> = {
  webhook: () => new WebhookNotifier({ url: secretUrl(), secret: new Secret(secret), headers: { 'x-token': secret } }),
  slack: () => slackNotifier({ url: secretUrl() }),
  discord: () => discordNotifier({ url: secretUrl() }),
  teams: () => teamsNotifier({ url: secretUrl() }),
  telegram: () => new TelegramNotifier({ botToken: new Secret(secret), chatId: '-100', apiUrl: receiver.url }),
  ping: () => new PingNotifier({ url: secretUrl() }),
};

for (const [type, make] of Object.entries(makers)) {
  describe(`contract of notifiers: ${type}`, () => {
    for (const { name, run } of notifierCases) {
      it(name, async () => {
        await run({
          notifier: make(),
          secrets: [secret],
          answer: (how) => {
            receiver.answer = how;
          },
          received: () => receiver.take().map(({ body }) => body),
        });
      });
    }
  });
}

async function bodyOf(notifier: Notifier, notification: Notification): Promise<Record<string, unknown>> {
  receiver.take();
  await notifier.send(notification, { signal });
  return JSON.parse(receiver.take()[0]?.body ?? '') as Record<string, unknown>;
}

describe('what each service expects', () => {
  const long = sampleNotification({
    title: 'x'.repeat(9000),
    text: '<!channel> & '.repeat(1000),
    facts: Array.from({ length: 40 }, (_, index) => [`fact ${index}`, 'y'.repeat(3000)] as const),
    whatToDo: 'z'.repeat(9000),
  });

  it('Slack: blocks within their lengths, and no call to a channel', async () => {
    const { blocks } = await bodyOf(slackNotifier({ url: secretUrl() }), long);
    for (const block of blocks as { type: string; text?: { text: string }; fields?: { text: string }[] }[]) {
      assert.ok((block.text?.text.length ?? 0) <= (block.type === 'header' ? 150 : 3000));
      assert.ok((block.fields?.length ?? 0) <= 10);
      for (const field of block.fields ?? []) assert.ok(field.text.length <= 2000);
    }
    assert.ok(!JSON.stringify(blocks).includes('<!channel>'));
  });

  it('Discord: an embed of 6,000 characters at most, and no call to anyone', async () => {
    const body = await bodyOf(discordNotifier({ url: secretUrl() }), long);
    const [embed] = body['embeds'] as {
      title: string;
      description: string;
      fields: { name: string; value: string }[];
    }[];
    assert.ok(embed);
    const lengths = embed.fields.map(({ name, value }) => name.length + value.length);
    assert.ok(embed.title.length + embed.description.length + lengths.reduce((sum, one) => sum + one, 0) <= 6000);
    assert.deepEqual(body['allowed_mentions'], { parse: [] });
  });

  it('Teams: a card in a message; Telegram: 4,096 characters', async () => {
    const message = await bodyOf(teamsNotifier({ url: secretUrl() }), sampleNotification());
    const [attachment] = message['attachments'] as {
      contentType: string;
      content: { type: string; actions: unknown[] };
    }[];
    assert.equal(attachment?.contentType, 'application/vnd.microsoft.card.adaptive');
    assert.equal(attachment?.content.actions.length, 1);
    const telegram = await bodyOf(makers['telegram']!(), long);
    assert.equal(telegram['chat_id'], '-100');
    assert.equal((telegram['text'] as string).length, 4096);
  });

  it('a ping goes to the URL, to /fail or to /log, and keeps its query', async () => {
    const ping = new PingNotifier({ url: new Secret(`${receiver.url}/ping/id?rid=7`) });
    for (const [event, path] of [
      ['success', '/ping/id?rid=7'],
      ['failure', '/ping/id/fail?rid=7'],
      ['suspect', '/ping/id/fail?rid=7'],
      ['missed', '/ping/id/fail?rid=7'],
      ['healed', '/ping/id/log?rid=7'],
      ['storage-nearly-full', '/ping/id/log?rid=7'],
    ] as const) {
      await ping.send(sampleNotification({ event }), { signal });
      assert.equal(receiver.take()[0]?.path, path, event);
    }
  });

  it('a redirection is not followed: it would give the secret away', async () => {
    receiver.answer = 'redirect';
    await assert.rejects(makers['slack']!().send(sampleNotification(), { signal }), { code: 'notify.failed' });
    assert.equal(receiver.take().length, 1);
  });
});

describe('the signature of a webhook', () => {
  it('proves who sent it, what and when', async () => {
    const clock = new FakeClock();
    const notifier = new WebhookNotifier({ url: secretUrl(), secret: new Secret(secret), clock });
    await notifier.send(sampleNotification(), { signal });
    const [request] = receiver.take();
    assert.ok(request);
    const { body, headers } = request;
    const given = { body, headers, secret: new Secret(secret), clock };
    assert.equal(verifyWebhook(given), true);
    assert.equal(verifyWebhook({ ...given, body: `${body} ` }), false);
    assert.equal(verifyWebhook({ ...given, secret: new Secret('another') }), false);
    assert.equal(verifyWebhook({ ...given, headers: { ...headers, 'holdfast-timestamp': '1' } }), false);
    assert.equal(verifyWebhook({ ...given, headers: {} }), false);
    const later = (ms: number) => ({ nowMs: () => clock.nowMs() + ms, monotonicMs: () => 0 });
    assert.equal(verifyWebhook({ ...given, clock: later(299_000) }), true);
    assert.equal(verifyWebhook({ ...given, clock: later(302_000) }), false);
    const value = JSON.parse(body) as Record<string, unknown>;
    assert.equal(value['event'], 'failure');
    assert.equal(value['severity'], 'bad');
    assert.equal(value['occurredAt'], '2026-11-21T02:00:00.000Z');
  });
});

// Certificates are made by openssl, which comes with the packages of that server.
describe('e-mail', { skip: leftOut('postgres') }, () => {
  let smtp: SmtpReceiver;
  let certificate: { certificatePath: string; keyPath: string };
  before(async () => {
    certificate = await makeCertificate(workspace, undefined);
    smtp = await SmtpReceiver.start({ ...certificate, password: secret });
  });
  after(() => smtp.stop());
  beforeEach(() => {
    smtp.answer = 'accept';
    smtp.take();
  });

  const email = (changes: Partial<EmailOptions> = {}) =>
    new EmailNotifier({
      host: '127.0.0.1',
      port: smtp.port,
      user: 'backup',
      password: new Secret(secret),
      from: 'Holdfast <backup@example.test>',
      to: ['ops@example.test', 'boss@example.test'],
      caPath: certificate.certificatePath,
      ...changes,
    });

  for (const { name, run } of notifierCases) {
    it(name, async () => {
      await run({
        notifier: email(),
        secrets: [secret],
        answer: (how) => {
          smtp.answer = how;
        },
        received: () => smtp.take().map(({ text }) => text),
      });
    });
  }

  it('goes to all, encrypted, with a subject of one line that adds no header', async () => {
    await email().send(sampleNotification({ title: 'a\r\nBcc: eve@example.test\r\n\r\nb' }), { signal });
    const [mail] = smtp.take();
    assert.deepEqual(mail?.to, ['ops@example.test', 'boss@example.test']);
    assert.equal(mail?.isEncrypted, true);
    assert.equal(mail?.user, 'backup');
    assert.doesNotMatch(mail?.raw.split('\r\n\r\n')[0] ?? '', /^Bcc:/m);
    assert.match(mail?.text ?? '', /^Subject: \[holdfast\] a Bcc: eve@example.test b/m);
  });

  it('a server that is not trusted, a wrong password and a password in clear are refused', async () => {
    const plain = new EmailNotifier({
      host: '127.0.0.1',
      port: smtp.port,
      user: 'backup',
      password: new Secret(secret),
      from: 'a@example.test',
      to: ['b@example.test'],
    });
    const untrusted = { code: 'notify.unavailable', message: /certificate is not trusted/, hint: /caPath/ };
    await assert.rejects(plain.send(sampleNotification(), { signal }), untrusted);
    await assert.rejects(
      email({ password: new Secret('wrong-canary') }).send(sampleNotification(), { signal }),
      (error) => {
        assert.ok(error instanceof HoldfastError);
        assert.equal(error.code, 'notify.failed');
        assert.ok(!error.message.includes('canary'));
        return true;
      },
    );
    assert.throws(() => email({ security: 'none' }), { code: 'config.invalid' });
    assert.deepEqual(smtp.take(), []);
  });

  it('a relay on this machine takes it without a login', async () => {
    const { port } = smtp;
    const relay = new EmailNotifier({ host: '127.0.0.1', port, security: 'none', from: 'a@x.test', to: ['b@x.test'] });
    await relay.send(sampleNotification(), { signal });
    assert.equal(smtp.take()[0]?.isEncrypted, false);
  });
});

describe('sending to all', () => {
  const waits: number[] = [];
  const wait = async (durationMs: number) => void waits.push(durationMs);
  beforeEach(() => waits.splice(0));

  it('what fails for now is tried again, what is refused is not; nothing is thrown', async () => {
    const notifier = slackNotifier({ url: secretUrl() });
    const subscriptions = [{ notifier, events: ['failure'] as const }];
    receiver.queued.push('fail', 'fail');
    const [delivery] = await sendAll(sampleNotification(), subscriptions, { wait });
    assert.deepEqual({ ...delivery, place: '' }, { type: 'slack', place: '', event: 'failure', sent: true, tries: 3 });
    assert.deepEqual(waits, [1000, 3000]);
    receiver.answer = 'fail';
    const [given] = await sendAll(sampleNotification(), subscriptions, { wait });
    assert.equal(given?.sent, false);
    assert.equal(given?.tries, 3);
    receiver.answer = 'refuse';
    receiver.take();
    const [refused] = await sendAll(sampleNotification(), subscriptions, { wait });
    assert.equal(refused?.error?.code, 'notify.failed');
    assert.equal(receiver.take().length, 1);
    assert.ok(!JSON.stringify([delivery, given, refused]).includes(secret));
  });

  it('only those who want to know are told, and one that throws anything or hangs spoils nothing', async () => {
    const good = slackNotifier({ url: secretUrl() });
    const throwing: Notifier = {
      type: 'own',
      place: 'here',
      send: async () => {
        throw new TypeError(`about ${secret}`);
      },
    };
    const hanging: Notifier = { type: 'slow', place: 'there', send: () => new Promise(() => undefined) };
    const deliveries = await sendAll(
      sampleNotification({ event: 'healed' }),
      [
        { notifier: good, events: ['healed'] },
        { notifier: good, events: ['failure'] },
        { notifier: throwing, events: ['healed'] },
        { notifier: hanging, events: ['healed'] },
      ],
      { wait, tryTimeoutMs: 1_500 },
    );
    assert.deepEqual(
      deliveries.map(({ type, sent, error }) => [type, sent, error?.code]),
      [
        ['slack', true, undefined],
        ['own', false, 'notify.failed'],
        ['slow', false, 'notify.unavailable'],
      ],
    );
    assert.ok(!JSON.stringify(deliveries).includes(secret));
  });
});
