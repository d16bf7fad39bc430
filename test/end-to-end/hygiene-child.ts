/** A script that uses the library in every way, and does not say when it is done. */
import {
  addKeySlots,
  createBackup,
  FilesSource,
  HoldfastError,
  inspectArchive,
  openArchive,
  repairArchive,
  restoreBackup,
  Secret,
  SqliteSource,
  summarizeArchive,
  validateBackup,
} from '../../src/index.ts';

process.chdir(process.argv[2] ?? '');
const keys = { passphrases: [new Secret('one')] };
const archive = 'x.holdfast';
const targets = { to: ['sqlite:copy.db'], filesTo: 'out' };

async function printFailure(operation: Promise<unknown>): Promise<void> {
  try {
    await operation;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    console.log(error.code);
  }
}

const sources = [new SqliteSource({ path: 'shop.db' }), new FilesSource({ path: 'tree' })];
await createBackup({ sources, output: archive, keys });
await validateBackup({ archive, keys });
await restoreBackup({ archive, keys, ...targets });
await printFailure(restoreBackup({ archive, keys, ...targets }));
await addKeySlots({ archive, keys, add: { passphrases: [new Secret('two')] } });
await repairArchive({ archive, output: 'copy.holdfast' });
await inspectArchive({ archive });
await summarizeArchive(archive);
const opened = await openArchive({ archive, keys });
for await (const _ of opened.read('files/tree/file')) break;
await opened.close();
await printFailure(openArchive({ archive, keys: { passphrases: [new Secret('wrong')] } }));
await printFailure(openArchive({ archive: 'tree/file', keys }));
await printFailure(createBackup({ sources: [new FilesSource({ path: 'missing' })], output: archive, keys }));
// What has only to be taken note of yet, is.
await new Promise(setImmediate);
console.log(JSON.stringify(process.getActiveResourcesInfo().filter((name) => !/^(PipeWrap|TTYWrap)$/.test(name))));
