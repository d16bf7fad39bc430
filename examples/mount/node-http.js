/** The web admin in a server of `node:http`, at /admin/backups. */
import { createServer } from 'node:http';
import { createHandler, nodeListener } from 'holdfast/web';

const handler = createHandler({ folder: import.meta.dirname, basePath: '/admin/backups' });
const admin = nodeListener(handler);

const server = createServer((request, response) => {
  if (request.url?.startsWith('/admin/backups')) admin(request, response);
  else response.end('the application');
});
// A mistake in the configuration is told now, and not to the first who opens the page.
await handler.ready();
server.listen(process.env.PORT ?? 3000, '127.0.0.1', () => {
  console.log(`node:http listens at ${server.address().port}`);
});
