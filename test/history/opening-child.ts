/** Opens a history, writes a run and ends; started several times at once. */
import { openHistory } from '../../src/history/history.ts';
import { Secret } from '../../src/secret.ts';

const [place = ''] = process.argv.slice(2);
const history = await openHistory(place.startsWith('postgres:') ? { url: new Secret(place) } : { path: place });
await history.runs();
await history.close();
