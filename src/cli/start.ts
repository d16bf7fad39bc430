/** Started by other programs of ours as a process of its own; people start `bin/holdfast.js`, which looks at the version of Node first. */
import { main } from './main.ts';

await main(process.argv.slice(2));
