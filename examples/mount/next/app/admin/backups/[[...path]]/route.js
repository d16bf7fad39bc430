/** The web admin in an application of Next.js, at /admin/backups. */
import { createHandler } from 'holdfast/web';

// Next.js loads this file anew when it changes: the admin of before goes on.
globalThis.backupAdmin ??= createHandler({
  folder: process.cwd(),
  basePath: '/admin/backups',
  // Next.js compresses, and would not say of what is compressed already that it is.
  compression: false,
});

function respond(request) {
  // Next.js does not tell the address of the client; a proxy before it does, in the last place.
  const address = request.headers.get('x-forwarded-for')?.split(',').at(-1)?.trim();
  return globalThis.backupAdmin(request, { address });
}

export const GET = respond;
export const HEAD = respond;
export const POST = respond;
export const PATCH = respond;
export const DELETE = respond;
