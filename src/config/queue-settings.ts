import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../errors.ts';
import type { BullmqQueue } from '../queue/bullmq/bullmq-queue.ts';
import { Secret } from '../secret.ts';
import type { HoldfastConfig } from './config-schema.ts';

/** The queue of jobs that name none. */
export const defaultQueue = 'default';

/** A name of a queue. */
export const queueNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be letters, digits, dots, dashes and underscores');

const bullmqSchema = z.strictObject({
  backend: z.literal('bullmq'),
  /** `redis://:${PASSWORD}@host:6379/0`, or `rediss://` with TLS: of Redis or Valkey. */
  url: z.string().regex(/^rediss?:\/\//, 'must be a URL that begins with redis:// or rediss://'),
  /** What its keys begin with, one for each configuration; `holdfast` unless set. */
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be letters, digits, dots, dashes and underscores')
    .optional(),
  /** A file with the certificate authority of `rediss://`; those of Node unless set. */
  caPath: z.string().min(1).optional(),
  /** A worker that gives no sign of life for so long has lost its jobs to others; 30,000 unless set. */
  stalledAfterMs: z.int().min(1_000).max(3_600_000).optional(),
});

/** Where jobs wait: in the memory of `holdfast serve`, unless set, or in Redis for any number of workers. */
export const queueSchema = z.union([z.literal('memory'), bullmqSchema]);

/** Names of its settings, for suggestions. */
export const queueSettingNames: readonly string[] = Object.keys(bullmqSchema.shape);

/** Whether jobs wait where other processes see them. */
export function isSharedQueue({ queue = 'memory' }: HoldfastConfig): boolean {
  return queue !== 'memory';
}

/** Opens the queue that other processes see. Throws `config.invalid` where there is none, and `queue.unavailable`. */
export async function openSharedQueue(config: HoldfastConfig, file: string): Promise<BullmqQueue> {
  const { queue = 'memory' } = config;
  if (queue === 'memory') {
    throw new HoldfastError('config.invalid', {
      message: `${file}: the queue is in the memory of \`holdfast serve\`, where no other process sees it`,
      hint: "set queue: { backend: 'bullmq', url: 'redis://…' }",
    });
  }
  const { url, prefix, caPath, stalledAfterMs } = queue;
  const { BullmqQueue: Opened } = await import('../queue/bullmq/bullmq-queue.ts');
  return await Opened.open({
    url: new Secret(url),
    ...(prefix === undefined ? {} : { prefix }),
    ...(caPath === undefined ? {} : { caPath: resolve(dirname(file), caPath) }),
    ...(stalledAfterMs === undefined ? {} : { stalledAfterMs }),
  });
}
