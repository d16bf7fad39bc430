/** The web admin in an application of Express, at /admin/backups. */
import express from 'express';
import { createHandler, nodeListener } from 'holdfast/web';

const handler = createHandler({ folder: import.meta.dirname, basePath: '/admin/backups' });

const app = express();
// Before the parsers of bodies: uploads pass through as they come.
app.use('/admin/backups', nodeListener(handler));
app.use(express.json());
app.get('/', (_request, response) => response.send('the application'));

await handler.ready();
const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`Express listens at ${server.address().port}`);
});
