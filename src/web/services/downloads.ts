import type { Readable } from 'node:stream';
import { mainJob } from '../../config/job-names.ts';
import { configuredJobs } from '../../config/scheduled-jobs.ts';
import { HoldfastError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';
import { checkObjectName } from '../../storage/object-name.ts';
import type { RandomAccess } from '../../storage/storage.ts';
import { requireRole } from '../access/roles.ts';
import type { WebUser } from '../web-environment.ts';
import { startCommand } from './child-command.ts';
import type { ServiceContext } from './service-context.ts';
import type { ArchivePlace, Download, DownloadServices } from './web-services.ts';

const pieceBytes = 512 * 1024;
const minimumPassphraseLength = 12;
/** Archives that are made on the fly at once. */
const freshAtOnce = 2;
const keptLines = 20;

/** Sends archives: those that are stored, and those that are made while they are sent. */
export class Downloads implements DownloadServices {
  readonly #context: ServiceContext;
  #fresh = 0;

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  async stored(
    user: WebUser,
    { storage: label, name }: ArchivePlace,
    range?: { readonly startBytes: number; readonly endBytes?: number },
  ): Promise<Download> {
    requireRole(user, 'operator');
    checkObjectName(name);
    const storage = await this.#context.storage(label);
    const opened = await storage.open(name);
    const { sizeBytes } = opened;
    const startBytes = range?.startBytes ?? 0;
    const endBytes = Math.min(range?.endBytes ?? sizeBytes - 1, sizeBytes - 1);
    if (startBytes > endBytes) {
      await opened.close();
      throw new HoldfastError('request.invalid', { message: `the range begins behind the end, at ${sizeBytes}` });
    }
    // A download goes on with ranges: its beginning is what is written down.
    if (startBytes === 0) await this.#context.record(user, 'download', `${name} (${label})`);
    const given = range === undefined ? {} : { range: { startBytes, endBytes } };
    return { name, sizeBytes, ...given, body: readableFrom(opened, startBytes, endBytes + 1) };
  }

  async fresh(
    user: WebUser,
    { passphrase, job = mainJob }: { readonly passphrase: Secret; readonly job?: string },
    signal: AbortSignal,
  ): Promise<Download> {
    requireRole(user, 'operator');
    if ([...passphrase.reveal()].length < minimumPassphraseLength) {
      const message = `a passphrase has ${minimumPassphraseLength} characters at least`;
      throw new HoldfastError('key.invalid', { message, hint: 'nobody but it opens the archive: take a few words' });
    }
    if (!configuredJobs(this.#context.loaded.config).some(({ name }) => name === job)) {
      throw new HoldfastError('request.invalid', { message: `there is no job ${job}` });
    }
    if (this.#fresh >= freshAtOnce) {
      throw new HoldfastError('job.running', {
        message: `${this.#fresh} archives are being made for download already`,
      });
    }
    await this.#context.record(user, 'download, made on the fly', job);
    const { clock, folder, environment } = this.#context;
    const ending = new AbortController();
    const lines: string[] = [];
    const words = ['backup', '--job', job, '--output', '-', '--format', 'holdfast', '--encryption', 'aes-256-gcm'];
    this.#fresh++;
    const command = startCommand({
      words: [...words, '--no-hooks'],
      folder,
      environment,
      secrets: { HOLDFAST_PASSPHRASE: passphrase },
      signal: AbortSignal.any([signal, ending.signal]),
      onLine: (line) => lines.push(line) > keptLines && lines.shift(),
    });
    const done = command.ended.then((exitCode) => {
      // 3: something was left out, which the archive says itself.
      if (exitCode === 0 || exitCode === 3) return;
      const reason = lines.find((line) => line.startsWith('holdfast:')) ?? lines[0] ?? `it ended with ${exitCode}`;
      throw new HoldfastError('operation.failed', {
        message: reason.replace(/^holdfast: /, ''),
        hint: 'nothing whole was sent',
      });
    });
    done.catch(() => undefined).finally(() => this.#fresh--);
    const stamp = new Date(clock.nowMs()).toISOString().replace(/\D/g, '');
    const series = this.#context.seriesOf(job) || 'backup';
    const name = `${series}_${stamp.slice(0, 8)}_${stamp.slice(8, 14)}.holdfast`;
    return { name, body: await piped(command.stdout, done, ending) };
  }
}

/** A part of an archive as a stream; what is read is what is asked for, and the archive is closed at the end. */
function readableFrom(opened: RandomAccess, startBytes: number, endBytes: number): ReadableStream<Uint8Array> {
  let offset = startBytes;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const piece = new Uint8Array(Math.min(pieceBytes, endBytes - offset));
          const count = await opened.read(offset, piece);
          if (count === 0 && piece.length > 0)
            throw new HoldfastError('storage.failed', { message: 'the archive became shorter' });
          offset += count;
          controller.enqueue(piece.subarray(0, count));
          if (offset < endBytes) return;
          controller.close();
          await opened.close();
        } catch (error) {
          await opened.close();
          throw error;
        }
      },
      cancel: () => opened.close(),
    },
    { highWaterMark: 1 },
  );
}

/**
 * The output of a command as a stream that fails where the command does: the connection then breaks off, and nobody takes the piece for the
 * whole. Before the first bytes the error is thrown, so that it can be shown.
 */
async function piped(
  stdout: Readable,
  done: Promise<void>,
  ending: AbortController,
): Promise<ReadableStream<Uint8Array>> {
  const pieces = stdout[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let next: IteratorResult<Uint8Array> | undefined = await pieces.next();
  if (next.done === true) {
    await done;
    throw new HoldfastError('source.empty');
  }
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done: isOver, value } = next ?? (await pieces.next());
        next = undefined;
        if (isOver !== true) return controller.enqueue(value);
        await done;
        controller.close();
      },
      cancel: async () => {
        ending.abort();
        // A command that waits for somebody to read hears that nobody does.
        await pieces.return?.();
      },
    },
    { highWaterMark: 1 },
  );
}
