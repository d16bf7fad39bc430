import { resolve } from 'node:path';
import { withoutUndefined } from '../cli/without-undefined.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { type Random, systemRandom } from '../random.ts';
import type { AccessOptions } from './access/access-environment.ts';
import type { SessionLimits } from './access/access-store.ts';
import type { PasswordCost } from './access/passwords.ts';
import type { UploadLimits } from './services/uploads.ts';

/** What {@link createHandler} takes; what is not set here is what `web` of the configuration says. */
export interface WebConfig extends Partial<Omit<AccessOptions, 'clock'>> {
  /** The folder of `holdfast.config.ts`; the current one unless set. */
  readonly folder?: string;
  readonly sessions?: Partial<SessionLimits>;
  readonly uploads?: Partial<UploadLimits>;
  /** What guessing a password costs. */
  readonly passwordCost?: PasswordCost;
  /** The variables that the configuration and its commands see; those of the process unless set. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Whether jobs run by schedule in this process: the overview says so. */
  readonly isScheduling?: boolean;
  /**
   * Whether pages and their files are compressed for browsers that take it; true unless set. Next.js compresses by itself, and drops the header that
   * says that a body is compressed already: it needs `false`.
   */
  readonly compression?: boolean;
  /** Told the link for the first admin, and defects; written to stderr unless set. */
  readonly log?: (text: string) => void;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Everything that is to be known, from what was given and what the configuration says. */
export interface WholeConfig {
  readonly access: AccessOptions;
  readonly sessions: Partial<SessionLimits>;
  readonly uploads: Partial<UploadLimits>;
  readonly clock: Clock;
  readonly random: Random;
}

const minuteMs = 60_000;
const mebibyte = 1024 * 1024;

/** What was given goes before what the configuration says. */
export function completeWebConfig(given: WebConfig, { config, file }: LoadedConfig): WholeConfig {
  const { clock = systemClock, random = systemRandom, authorize } = given;
  const web = config.web ?? {};
  const { folder, maximumSizeMb, maximumTotalMb } = web.uploads ?? {};
  const bytes = (mebibytes: number | undefined) => (mebibytes === undefined ? undefined : mebibytes * mebibyte);
  const proxy = given.trustedProxy ?? (authorize === undefined ? web.trustedProxy : undefined);
  return {
    access: {
      basePath: given.basePath ?? web.basePath ?? '',
      clock,
      ...withoutUndefined({
        origin: given.origin ?? web.origin,
        authorize,
        trustedProxy: proxy && withoutUndefined(proxy),
        proxyAddresses: given.proxyAddresses ?? web.proxyAddresses,
        wait: given.wait,
      }),
    },
    sessions: {
      ...withoutUndefined({
        idleMs: web.sessionIdleMinutes === undefined ? undefined : web.sessionIdleMinutes * minuteMs,
        absoluteMs: web.sessionHours === undefined ? undefined : web.sessionHours * 60 * minuteMs,
      }),
      ...given.sessions,
    },
    uploads: {
      ...withoutUndefined({
        folder: folder === undefined ? undefined : resolve(file, '..', folder),
        maximumSizeBytes: bytes(maximumSizeMb),
        maximumTotalBytes: bytes(maximumTotalMb),
      }),
      ...given.uploads,
    },
    clock,
    random,
  };
}
