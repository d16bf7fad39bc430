/** The command line from its sources, for the tests: what `bin/holdfast.js` starts from `dist/`. */
import { main } from '../../src/cli/main.ts';

await main(process.argv.slice(2));
