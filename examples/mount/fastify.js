/** The web admin in an application of Fastify, at /admin/backups. */
import Fastify from 'fastify';
import { createHandler, nodeListener } from 'holdfast/web';

const handler = createHandler({ folder: import.meta.dirname, basePath: '/admin/backups' });
const admin = nodeListener(handler);

const app = Fastify();
app.get('/', () => 'the application');
app.register(async (instance) => {
  // Bodies are left to the admin: uploads pass through as they come.
  instance.removeAllContentTypeParsers();
  instance.addContentTypeParser('*', (_request, _payload, done) => done(null));
  for (const path of ['/admin/backups', '/admin/backups/*']) {
    instance.all(path, (request, reply) => {
      reply.hijack();
      admin(request.raw, reply.raw);
    });
  }
});

await handler.ready();
await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' });
console.log(`Fastify listens at ${app.server.address().port}`);
