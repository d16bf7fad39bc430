import {
  createBackup,
  FilesSource,
  HoldfastError,
  restoreBackup,
  Secret,
  SqliteSource,
  validateBackup,
} from '../../src/index.ts';

/** Backs up a shop, verifies the archive, and restores it to another place. */
export async function backUpAndRestore(folder: string): Promise<void> {
  const passphrases = [new Secret('five words that you choose')];
  const archive = `${folder}/shop.holdfast`;

  const backup = await createBackup({
    sources: [new SqliteSource({ path: `${folder}/shop.db` }), new FilesSource({ path: `${folder}/uploads` })],
    output: archive,
    keys: { passphrases },
  });
  console.log(`${backup.entryCount} entries, ${backup.rowCount} rows, ${backup.sizeBytes} bytes`);

  const validation = await validateBackup({ archive, keys: { passphrases } });
  console.log(`${validation.state}: ${validation.blocks.damaged} damaged blocks`);

  await restoreBackup({ archive, keys: { passphrases }, to: [`sqlite:${folder}/copy.db`], filesTo: `${folder}/out` });

  try {
    await validateBackup({ archive, keys: { passphrases: [new Secret('another one')] } });
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'key.wrong') throw error;
    console.log(`${error.code}: ${error.message}`);
  }
}
