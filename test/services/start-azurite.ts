import { azuriteScript, azuriteVersion } from './azurite-package.ts';
import { ServerProcess } from './server-process.ts';
import type { Service } from './service.ts';
import { makeServiceFolder } from './service-folder.ts';

/** The account that every Azurite has, with the key that Microsoft publishes for it. */
export const azuriteAccount = 'devstoreaccount1';
export const azuriteKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** Starts an Azurite, Microsoft's server of Azure Blob for tests, with an account and no container. */
export async function startAzurite(): Promise<Service> {
  const program = azuriteScript();
  if (program === undefined) throw new Error('azurite is not installed');
  const folder = makeServiceFolder(undefined);
  const server = await ServerProcess.start({
    folder,
    user: undefined,
    commandFor: (port) => [
      ...[process.execPath, program, '--blobHost', '127.0.0.1', '--blobPort', String(port), '--location', folder],
      // The versions of the API that it knows end before those of the current client.
      ...['--silent', '--disableTelemetry', '--skipApiVersionCheck'],
    ],
    ready: /successfully listens/,
    // At SIGTERM it waits for every connection to end.
    stopSignal: 'SIGKILL',
  });
  return {
    url: `http://127.0.0.1:${server.port}/${azuriteAccount}`,
    host: '127.0.0.1',
    port: server.port,
    version: azuriteVersion,
    get processId() {
      return server.processId;
    },
    get log() {
      return server.log;
    },
    stop: () => server.stop(),
    kill: () => server.kill(),
    restart: () => server.restart(),
  };
}
