/** The web admin in an application of Hono, at /admin/backups. */
import { serve } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { createHandler } from 'holdfast/web';
import { Hono } from 'hono';

const handler = createHandler({ folder: import.meta.dirname, basePath: '/admin/backups' });

const app = new Hono();
app.get('/', (context) => context.text('the application'));
app.all('/admin/backups/*', (context) => {
  // Limits on logins and the audit log go by the address of the client.
  const { address } = getConnInfo(context).remote;
  return handler(context.req.raw, { address });
});

await handler.ready();
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`Hono listens at ${port}`);
});
