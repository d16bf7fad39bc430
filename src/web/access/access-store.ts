import { type Clock, systemClock } from '../../clock.ts';
import { ApiTokens } from '../../history/access/api-tokens.ts';
import { Attempts } from '../../history/access/attempts.ts';
import { AuditLog } from '../../history/access/audit-log.ts';
import { Sessions } from '../../history/access/sessions.ts';
import { SetupLinks } from '../../history/access/setup-links.ts';
import { Users } from '../../history/access/users.ts';
import type { History } from '../../history/history.ts';
import { type Random, systemRandom } from '../../random.ts';
import type { WebUser } from '../web-environment.ts';
import { FactorSeal } from './factor-seal.ts';
import { type PasswordCost, Passwords } from './passwords.ts';

/** How long sessions last. */
export interface SessionLimits {
  /** Without a request: two hours unless set. */
  readonly idleMs: number;
  /** In all: a day unless set. */
  readonly absoluteMs: number;
}

const defaultLimits: SessionLimits = { idleMs: 2 * 3_600_000, absoluteMs: 24 * 3_600_000 };

/** What {@link AccessStore} takes. */
export interface AccessStoreOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly passwordCost?: PasswordCost;
  readonly sessions?: Partial<SessionLimits>;
  /** What seals second factors; without it none can be turned on. */
  readonly factors?: FactorSeal;
}

/** Everything about users that lasts, and what it needs: one place for all that asks who may do what. */
export class AccessStore {
  readonly users: Users;
  readonly sessions: Sessions;
  readonly tokens: ApiTokens;
  readonly audit: AuditLog;
  readonly attempts: Attempts;
  readonly links: SetupLinks;
  readonly passwords: Passwords;
  readonly factors: FactorSeal;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: SessionLimits;

  constructor(history: Pick<History, 'database'>, options: AccessStoreOptions = {}) {
    const { clock = systemClock, random = systemRandom, passwordCost } = options;
    const { database } = history;
    this.users = new Users(database);
    this.sessions = new Sessions(database);
    this.tokens = new ApiTokens(database);
    this.audit = new AuditLog(database);
    this.attempts = new Attempts(database);
    this.links = new SetupLinks(database);
    this.passwords = new Passwords({ random, ...(passwordCost && { cost: passwordCost }) });
    this.factors = options.factors ?? new FactorSeal([], random);
    this.clock = clock;
    this.random = random;
    this.limits = { ...defaultLimits, ...options.sessions };
  }

  /** A fresh id. */
  newId(): string {
    return Buffer.from(this.random.bytes(12)).toString('hex');
  }

  /** Writes down who did what. */
  async record(
    { name }: Pick<WebUser, 'name'>,
    address: string,
    entry: { readonly action: string; readonly subject?: string; readonly outcome?: string },
  ): Promise<void> {
    const { action, subject = '', outcome = 'done' } = entry;
    await this.audit.add({
      id: this.newId(),
      time_ms: this.clock.nowMs(),
      user_name: name.slice(0, 200),
      address: address.slice(0, 100),
      action,
      subject: subject.slice(0, 1000),
      outcome,
    });
  }
}
