/** The contract of notifiers, as cases that any of them has to pass, over a receiver on the loopback. */
import assert from 'node:assert/strict';
import { HoldfastError } from '../errors.ts';
import { type Notification, notificationEvents } from '../notify/notification.ts';
import type { Notifier } from '../notify/notifier.ts';

/** The other side of a notifier under test. */
export interface NotifierUnderTest {
  readonly notifier: Notifier;
  /** Its settings' secrets, which must not be shown anywhere. */
  readonly secrets: readonly string[];
  /** How the receiver answers from now on: `refuse` for good, `fail` for now, `hang` not at all. */
  answer(how: 'accept' | 'refuse' | 'fail' | 'hang'): void;
  /** What has arrived since it was asked last, as text. */
  received(): readonly string[];
}

/** One case of the contract. */
export interface NotifierCase {
  readonly name: string;
  /** Rejects when the notifier breaks the contract. */
  run(subject: NotifierUnderTest): Promise<void>;
}

/** A notification with all that one can have. */
export function sampleNotification(changes: Partial<Notification> = {}): Notification {
  return {
    event: 'failure',
    id: '00112233445566778899aabbccddeeff',
    occurredMs: Date.UTC(2026, 10, 21, 2, 0, 0),
    title: 'the backup of shop failed',
    text: 'postgres://backup@db/shop: the server refuses the connection',
    facts: [
      ['Error', 'source.unreadable'],
      ['Environment', 'production'],
    ],
    whatToDo: 'check its permissions',
    link: 'https://backups.example/runs/7',
    ...changes,
  };
}

const patient = () => ({ signal: new AbortController().signal });

/** What it throws, in which no secret stands. */
async function failure({ notifier, secrets }: NotifierUnderTest, signal = patient().signal): Promise<HoldfastError> {
  const error = await notifier.send(sampleNotification(), { signal }).then(
    () => assert.fail('it says that it was taken'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof HoldfastError, String(error));
  const shown = `${error.message}${error.hint}${error.stack}${JSON.stringify(error.context)}${String(error.cause)}`;
  for (const secret of secrets) assert.ok(!shown.includes(secret), 'a secret is shown');
  return error;
}

/** The cases; each leaves the receiver as it found it. */
export const notifierCases: readonly NotifierCase[] = [
  {
    name: 'every event arrives once, with its title, what to do and the link',
    async run({ notifier, received }) {
      for (const event of notificationEvents) {
        const title = `title of ${event}`;
        await notifier.send(sampleNotification({ event, title }), patient());
        const messages = received();
        assert.equal(messages.length, 1, event);
        for (const text of [title, 'check its permissions', 'https://backups.example/runs/7', 'source.unreadable']) {
          assert.ok(messages[0]?.includes(text), `${event} without ${text}`);
        }
      }
    },
  },
  {
    name: 'the least that a notification has is enough',
    async run({ notifier, received }) {
      const { event, id, occurredMs, title } = sampleNotification();
      await notifier.send({ event, id, occurredMs, title, text: '', facts: [] }, patient());
      assert.equal(received().length, 1);
    },
  },
  {
    name: 'texts of any length and with any characters are taken',
    async run({ notifier, received }) {
      const text = `${'ä<&>"\'*_`{}\\@everyone\u2028\n'.repeat(2000)}`;
      const facts = Array.from({ length: 40 }, (_, index) => [`fact ${index}`, text.slice(0, 3000)] as const);
      await notifier.send(sampleNotification({ title: text, text, facts, whatToDo: text }), patient());
      assert.equal(received().length, 1);
    },
  },
  {
    name: 'one that is refused for good, or for now, is told apart, and shows no secret',
    async run(subject) {
      subject.answer('refuse');
      assert.equal((await failure(subject)).code, 'notify.failed');
      subject.answer('fail');
      assert.equal((await failure(subject)).code, 'notify.unavailable');
      subject.answer('accept');
      subject.received();
      await subject.notifier.send(sampleNotification(), patient());
      assert.equal(subject.received().length, 1);
    },
  },
  {
    name: 'the signal ends a sending that gets no answer',
    async run(subject) {
      subject.answer('hang');
      const abort = new AbortController();
      const sending = failure(subject, abort.signal);
      setImmediate(() => abort.abort());
      assert.equal((await sending).code, 'notify.unavailable');
      subject.answer('accept');
      subject.received();
    },
  },
  {
    name: 'its place shows no secret',
    async run({ notifier, secrets }) {
      assert.notEqual(notifier.place, '');
      for (const secret of secrets)
        assert.ok(!notifier.place.includes(secret) && !JSON.stringify(notifier).includes(secret));
    },
  },
];
