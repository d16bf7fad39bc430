import type { WebSettings } from '../config/web-settings.ts';
import { HoldfastError } from '../errors.ts';
import type { CommandContext } from './command-context.ts';
import { withoutUndefined } from './without-undefined.ts';

/** Where the web admin listens, and who tells what it logs. */
export interface ServeWebOptions {
  readonly address: { readonly host?: string; readonly port?: number };
  readonly settings: WebSettings;
  readonly isScheduling: boolean;
  /** Told where it is, and the link for the first admin. */
  readonly say: (text: string) => void;
  readonly note: (text: string) => void;
}

/** The web admin while it is served. */
export interface ServedWeb {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Where the web admin is to listen: as `--web` says, which may leave out host or port, else as the configuration does. Undefined where it is not
 * wanted: no `--web`, and no `web` in the configuration or one that is not enabled. Throws `usage.invalid`.
 */
export function webAddress(
  given: string | true | undefined,
  settings: WebSettings | undefined,
): ServeWebOptions['address'] | undefined {
  if (given === undefined) {
    if (settings === undefined || settings.enabled === false) return undefined;
    return withoutUndefined({ host: settings.host, port: settings.port });
  }
  const { host, port } = settings ?? {};
  if (given === true) return withoutUndefined({ host, port });
  const [, bracketed, named, number] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]*))?:?(\d{1,5})?$/.exec(given) ?? [];
  const isPort = named !== undefined && /^\d{1,5}$/.test(named) && number === undefined;
  const chosenPort = isPort ? Number(named) : number === undefined ? port : Number(number);
  const chosenHost = bracketed ?? (isPort || named === '' ? host : named);
  if ((chosenHost ?? chosenPort) === undefined || (chosenPort ?? 0) > 65_535) {
    throw new HoldfastError('usage.invalid', {
      message: `--web ${given} is no address`,
      hint: 'give --web HOST:PORT, such as --web 127.0.0.1:8420',
    });
  }
  return withoutUndefined({ host: chosenHost, port: chosenPort });
}

/** Serves the web admin beside the scheduler. Throws `request.conflict` where the port is taken, and what opening it throws. */
export async function serveWeb(options: ServeWebOptions, context: CommandContext): Promise<ServedWeb> {
  const { address, settings, isScheduling, say, note } = options;
  const { createHandler } = await import('../web/create-handler.ts');
  const { serveHttp } = await import('../web/serve-http.ts');
  const { environment, clock } = context;
  // The link is told with its whole address, once it is known.
  const log = (text: string) => (text.startsWith('make the first admin') ? undefined : note(text));
  const handler = createHandler({ folder: '.', environment, clock, isScheduling, log });
  try {
    const { setupPath } = await handler.ready();
    const server = await serveHttp(handler, address);
    const seen = settings.origin ?? server.url;
    say(`the web admin is at ${seen}${settings.basePath ?? ''}/`);
    if (setupPath !== undefined) say(`make the first admin at ${seen}${setupPath} (once, within a day)`);
    const isOpen = !['127.0.0.1', '::1', 'localhost'].includes(server.host);
    if (isOpen && settings.origin?.startsWith('https') !== true) {
      note('the web admin can be reached from other machines, and nothing says that it is by https: set web.origin');
    }
    return {
      url: server.url,
      close: async () => {
        await server.close();
        await handler.close();
      },
    };
  } catch (thrown) {
    await handler.close();
    throw thrown;
  }
}
