import { mediaStorageFromEnvironment } from '../../src/storage/index.ts';

/** Keeps what a user uploads, shows where it is, and takes it away again. */
export async function keepUpload(environment: Record<string, string | undefined>, upload: File): Promise<string[]> {
  await using media = await mediaStorageFromEnvironment(environment);
  const name = await media.save(`avatars/${upload.name}`, upload);
  const told = [name, await media.url(name), `${await media.size(name)} bytes`];
  for await (const file of media.list('avatars/')) told.push(file.name);
  const file = await media.open(name);
  told.push(`${file.contentType}: ${await file.text()}`);
  await media.delete(name);
  told.push(`there: ${await media.exists(name)}`);
  return told;
}
