/** The command line of the sources, as `bin/holdfast.js` is that of the build. */
import { main } from '../../src/cli/main.ts';

await main(process.argv.slice(2));
