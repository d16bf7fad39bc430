/** Servers that are unpacked beside the project, not installed: see extract-packages.sh. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './unpacked-packages.ts';

/** A server that is unpacked into a folder of its own. */
export interface ExtractedServer {
  /** Below the folder. */
  readonly program: string;
  /** Debian's. */
  readonly packages: readonly string[];
}

/** FTP servers conflict with one another as packages; Apache would replace one that the machine has. */
export const extractedServers = {
  vsftpd: { program: 'usr/sbin/vsftpd', packages: ['vsftpd'] },
  proftpd: { program: 'usr/sbin/proftpd', packages: ['proftpd-core', 'proftpd-mod-crypto'] },
  apache: { program: 'usr/sbin/apache2', packages: ['apache2-bin'] },
} as const satisfies Record<string, ExtractedServer>;

/** A name of {@link extractedServers}. */
export type ExtractedName = keyof typeof extractedServers;

/** Where a server is unpacked, or is to be. */
export function extractedFolder(name: ExtractedName): string {
  return join(cacheFolder(), name);
}

/** The whole path of its program, where it is unpacked. */
export function extractedProgram(name: ExtractedName): string | undefined {
  const path = join(extractedFolder(name), extractedServers[name].program);
  return existsSync(path) ? path : undefined;
}

/** What the program needs in its environment to find its libraries. */
export function extractedLibraries(name: ExtractedName): string {
  const root = extractedFolder(name);
  return ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'lib/aarch64-linux-gnu']
    .map((folder) => join(root, folder))
    .join(':');
}
